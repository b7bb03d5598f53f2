"""What "restore to" means: a moment, a position, a name; and which backup leads there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from healthv1_backup import marking, notes
from healthv1_backup.continuity import Segment
from healthv1_backup.processes import Failed, pgbackrest
from healthv1_backup.proving import clock
from healthv1_backup.repository import ANSWER, KeptBackup
from healthv1_backup.settings import Settings

SERVED = "served"
"""The note of which timeline served since when. A restore begins a new one."""
_LSN = re.compile(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_HISTORY = re.compile(r"(?:.*/)?([0-9A-F]{8})\.history")


class Unreachable(Failed):
    """No backup leads to that moment."""

    code = 4


class NotYet(Unreachable):
    """The moment has not come."""


class BeforeFirst(Unreachable):
    """The moment is before the first backup."""


@dataclass(frozen=True)
class Asked:
    """Where the user wants to go."""

    kind: str
    """latest, time, lsn or name."""
    value: str = ""
    moment: float | None = None
    """Seconds since 1970, where it is known."""
    told: str = ""
    """How it was understood, where it could be understood otherwise."""


def parse(text: str, marks: Mapping[str, Mapping[str, object]]) -> Asked:
    """Read what was asked for: "latest", a time, a position in the WAL, or a restore point. Raises `Failed`."""
    text = text.strip()
    if text in {"", "latest"}:
        return Asked("latest")
    if text in marks:
        at = marks[text].get("at")
        return Asked("name", text, float(at) if isinstance(at, int | float) else None)
    if _LSN.fullmatch(text):
        return Asked("lsn", text.upper())
    if _DATE.match(text):
        return _time(text)
    if not marking.NAME.fullmatch(text):
        raise Failed(f"{text}: give latest, a time such as 2026-11-29T08:30Z, a position in the WAL, or a name")
    return Asked(
        "name", text, None, f"{text} is no restore point that was made on this host: it is looked for in the WAL"
    )


def _time(text: str) -> Asked:
    if _DATE.fullmatch(text):
        raise Failed(f"{text}: give the time of day as well, such as {text}T08:30Z")
    try:
        moment = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", re.sub(r"([+-]\d{2})$", r"\1:00", text)))
    except ValueError:
        raise Failed(
            f"{text}: it is not a time; write it such as 2026-11-29T08:30Z or 2026-11-29T09:30+01:00"
        ) from None
    note = ""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
        note = f"{text} is taken as UTC"
    utc = moment.astimezone(timezone.utc)
    return Asked("time", f"{utc:%Y-%m-%d %H:%M:%S.%f}+00", utc.timestamp(), note)


def position(text: str) -> int:
    """Return a position in the WAL as a number."""
    high, _, low = text.partition("/")
    return int(high, 16) << 32 | int(low, 16)


def refuse_future(asked: Asked, now: float, current: str = "") -> None:
    """Raise `NotYet` where a moment or a position has not come. `current`: the live cluster's position, if known."""
    if asked.moment is not None and asked.moment > now:
        raise NotYet(f"{clock(asked.moment)} has not come: it is {clock(now)}")
    if asked.kind == "lsn" and current and position(asked.value) > position(current):
        raise NotYet(f"{asked.value} has not been written: the database is at {current}")


def choose(
    kept: Iterable[KeptBackup], asked: Asked, timeline: int, forks: Mapping[int, int], label: str = ""
) -> KeptBackup:
    """Return the newest backup from which the target can be reached. Raises `Unreachable`.

    + timeline: the one to follow; 0: any.
    + forks: by earlier timeline, the position at which the followed history left it.
    + label: the backup that the user wants.
    """
    every = sorted(kept, key=lambda backup: backup.stopped)
    if not every:
        raise Unreachable("there is no backup")
    if label and label not in {backup.label for backup in every}:
        raise Unreachable(f"there is no backup {label}: the newest is {every[-1].label}")
    leading = [backup for backup in every if _leads(backup, asked) and _is_of(backup, timeline, forks)]
    chosen = [backup for backup in leading if label in {"", backup.label}]
    if chosen:
        return chosen[-1]
    if label and leading:
        raise Unreachable(
            f"backup {label} was made after that moment: leave --backup out, or choose {leading[-1].label}"
        )
    raise BeforeFirst(f"no backup is that old: the oldest one ended {clock(every[0].stopped)} at {every[0].position}")


def _leads(backup: KeptBackup, asked: Asked) -> bool:
    if asked.kind == "lsn":
        return bool(backup.position) and position(backup.position) <= position(asked.value)
    return asked.moment is None or backup.stopped < asked.moment


def _is_of(backup: KeptBackup, timeline: int, forks: Mapping[int, int]) -> bool:
    segment = Segment.named(backup.wal_stop)
    if not timeline or segment is None or segment.timeline == timeline:
        return True
    return segment.timeline in forks and bool(backup.position) and position(backup.position) <= forks[segment.timeline]


def served(document: Mapping[str, object]) -> list[tuple[int, float]]:
    """Return each timeline that served, and since when, from the note of it."""
    rows = document.get("timelines", [])
    return [(int(row["timeline"]), float(row["since"])) for row in rows] if isinstance(rows, list) else []


def timeline_at(moment: float | None, rows: Iterable[tuple[int, float]], current: int) -> int:
    """Return the timeline that served at a moment; the current one where none is noted. 0: the newest one."""
    noted = sorted(rows, key=lambda row: row[1])
    if moment is None:
        return current or (noted[-1][0] if noted else 0)
    then = [timeline for timeline, since in noted if since <= moment]
    if not then:
        return noted[0][0] if noted else current
    return current if current and then[-1] == noted[-1][0] else then[-1]


def note_served(before: int, timeline: int, since: float) -> None:
    """Note that a timeline serves from now on."""
    rows = served(notes.read(SERVED)) or [(before, 0.0)]
    if rows[-1][0] != timeline:
        rows.append((timeline, since))
    notes.write(SERVED, {"timelines": [{"timeline": number, "since": at} for number, at in rows]})


def read_history(text: str) -> dict[int, int]:
    """Read a timeline's history file: by earlier timeline, the position at which it was left."""
    lines = (line.split() for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return {int(words[0]): position(words[1]) for words in lines if len(words) > 1 and _LSN.fullmatch(words[1])}


def forks(settings: Settings, repository: int, timeline: int) -> dict[int, int]:
    """Ask a repository where a timeline came from. Raises `Failed`."""
    if timeline < 2:
        return {}
    path = archived_history(settings, repository, timeline)
    if not path:
        return {}
    ended = pgbackrest(settings, f"--repo={repository}", "repo-get", path, timeout=ANSWER)
    if ended.code:
        raise Failed(f"{path}: {ended.why}")
    return read_history(ended.output)


def archived_history(settings: Settings, repository: int, timeline: int) -> str:
    """Return where in a repository a timeline's history is; empty where it is not. Raises `Failed`."""
    root = f"archive/{settings.stanza}"
    words = (f"--repo={repository}", "--recurse", "--output=json", r"--filter=\.history$", "repo-ls", root)
    ended = pgbackrest(settings, *words, timeout=ANSWER)
    if ended.code:
        raise Failed(ended.why)
    for name in json.loads(ended.output or "{}"):
        match = _HISTORY.fullmatch(name)
        if match and int(match[1], 16) == timeline:
            return f"{root}/{name}"
    return ""
