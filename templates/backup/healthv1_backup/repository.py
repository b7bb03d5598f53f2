"""What lies in a repository, as pgBackRest tells it: its backups, its WAL, and whether what lies there can be read."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from healthv1_backup.continuity import Gap, Segment, gaps, segments
from healthv1_backup.processes import Failed, pgbackrest
from healthv1_backup.settings import Settings

ANSWER = 120
"""Seconds for a question. pgBackRest itself waits for minutes where a repository does not answer."""


@dataclass(frozen=True)
class KeptBackup:
    label: str
    kind: str
    """full, diff or incr."""
    started: int
    """Seconds since 1970, as `stopped`."""
    stopped: int
    size: int
    """Bytes of the database."""
    stored: int
    """Bytes that it takes in the repository."""
    wal_start: str
    wal_stop: str
    failed: bool
    """pgBackRest found a page whose checksum is wrong while it copied: the damage is in the database."""
    position: str = ""
    """Where in the WAL it was consistent, such as 0/6000050."""

    @classmethod
    def from_info(cls, document: dict[str, Any]) -> KeptBackup:
        stored = document["info"]["repository"]
        return cls(
            document["label"],
            document["type"],
            document["timestamp"]["start"],
            document["timestamp"]["stop"],
            document["info"]["size"],
            stored.get("size", stored.get("delta", 0)),
            document["archive"]["start"],
            document["archive"]["stop"],
            bool(document.get("error")),
            document.get("lsn", {}).get("stop", ""),
        )


def backups(settings: Settings, number: int) -> list[KeptBackup]:
    """Return the backups in a repository, the oldest first. Raises `Failed` with what is wrong with it."""
    ended = pgbackrest(settings, f"--repo={number}", "--output=json", "info", timeout=ANSWER)
    if ended.code:
        raise Failed(ended.why)
    return read_info(ended.output)


def read_info(text: str) -> list[KeptBackup]:
    """Read what `info --output=json` printed. Its exit code is 0 whatever it found. Raises `Failed`."""
    stanzas = json.loads(text, strict=False)  # with a wrong passphrase its message has line breaks in it
    if not stanzas:
        raise Failed("nothing is there")
    status = stanzas[0]["status"]
    if status["code"] == 2:  # no valid backups: the stanza was made, and nothing is wrong
        return []
    if status["code"]:
        raise Failed(f"{status['message']} (status {status['code']})")
    kept = [KeptBackup.from_info(document) for document in stanzas[0]["backup"]]
    return sorted(kept, key=lambda backup: backup.stopped)


def archived(settings: Settings, number: int) -> list[Segment]:
    """Return the WAL segments in a repository. Raises `Failed`."""
    words = (f"--repo={number}", "--recurse", "--output=json", "repo-ls", f"archive/{settings.stanza}")
    ended = pgbackrest(settings, *words, timeout=ANSWER)
    if ended.code:
        raise Failed(ended.why)
    return segments(json.loads(ended.output or "{}"))


def missing_wal(kept: list[KeptBackup], archive: list[Segment]) -> list[Gap]:
    """Return the gaps in the WAL from the oldest backup to now."""
    needed: dict[int, int] = {}
    for backup in kept:
        start, stop = Segment.named(backup.wal_start), Segment.named(backup.wal_stop)
        if start and stop:
            needed[start.timeline] = min(needed.get(start.timeline, start.number), start.number)
    return gaps(archive, needed)


@dataclass(frozen=True)
class Damage:
    """What `verify` found."""

    what: str


_BACKUP = re.compile(r"\s*backup: (\S+), status: (\w+)(.*)")


def verify(settings: Settings, number: int) -> list[str]:
    """Read every file of a repository back, and return what is wrong with any. Raises `Failed`."""
    ended = pgbackrest(settings, f"--repo={number}", "--output=text", "--verbose", "verify")
    return read_verification(ended.code, ended.output, ended.errors)


def read_verification(code: int, output: str, errors: str) -> list[str]:
    """Read what `verify --output=text --verbose` said. Its exit code is 0 also for a damaged repository.

    Only the line "status: ok" says that all is well: silence says nothing.
    """
    lines = output.splitlines()
    status = next((line.partition("status:")[2].strip() for line in lines if line.strip().startswith("status:")), "")
    found: list[str] = []
    for line in lines:
        match = _BACKUP.match(line)
        if match and match[2] != "valid":
            found.append(f"backup {match[1]} is {match[2]}{match[3]}")
        counted = re.search(r"total WAL checked: (\d+), total valid WAL: (\d+)", line)
        if counted and counted[1] != counted[2]:
            found.append(f"{int(counted[1]) - int(counted[2])} WAL segments cannot be read back")
        if line.strip().startswith("No usable "):
            found.append(line.strip())
    details = [
        line.strip() for line in lines if re.search(r"(missing|checksum invalid|size invalid|other): [1-9]", line)
    ]
    if code or status != "ok":
        found += [detail for detail in details if not any(detail in what for what in found)]
        if not found:
            found.append(
                (errors or output).strip().splitlines()[-1] if (errors or output).strip() else "it said nothing"
            )
    return found
