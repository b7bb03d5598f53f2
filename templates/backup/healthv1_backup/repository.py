"""What lies in a repository, as pgBackRest tells it: its backups, its WAL, and whether what lies there can be read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from healthv1_backup.continuity import Gap, Segment, gaps, segments
from healthv1_backup.processes import TIMED_OUT, Failed, pgbackrest
from healthv1_backup.settings import Settings

ANSWER, IO_TIMEOUT = 60, 10
"""Seconds for a question, and for one connection. pgBackRest itself waits for minutes for one that does not answer."""
NO_PATH, NO_BACKUP = 1, 2
"""Status codes of `info`."""
_NONE: Mapping[int, int] = {}


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
    system: int = 0
    """The cluster's identifier; 0: not told."""

    @classmethod
    def from_info(cls, document: dict[str, Any], systems: Mapping[int, int] = _NONE) -> KeptBackup:
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
            systems.get(document.get("database", {}).get("id", 0), 0),
        )


def backups(settings: Settings, number: int) -> list[KeptBackup]:
    """Return the backups in a repository, the oldest first. Raises `Failed` with what is wrong with it."""
    return read_info(_ask(settings, number, "--output=json", "info"))


def read_info(text: str) -> list[KeptBackup]:
    """Read what `info --output=json` printed. Its exit code is 0 whatever it found. Raises `Failed`."""
    stanzas = _parsed(text)
    if not stanzas:
        raise Failed("nothing is there")
    status = stanzas[0]["status"]
    if status["code"] == NO_BACKUP:  # the stanza was made, and nothing is wrong
        return []
    if status["code"]:
        raise Failed(_what_is_wrong(stanzas[0]))
    systems = {entry["id"]: entry["system-id"] for entry in stanzas[0].get("db", [])}
    kept = [KeptBackup.from_info(document, systems) for document in stanzas[0]["backup"]]
    return sorted(kept, key=lambda backup: backup.stopped)


def of_cluster(kept: list[KeptBackup], system: int = 0) -> list[KeptBackup]:
    """Return the backups of one cluster: a folder whose host took a lost one's place holds an empty one's as well.

    + system: its identifier; 0: that of the newest backup.
    """
    system = system or (kept[-1].system if kept else 0)
    return [backup for backup in kept if backup.system == system or not backup.system]


def _what_is_wrong(stanza: dict[str, Any]) -> str:
    """Return what is said of a repository that cannot be used, on one line."""
    status = stanza["status"]
    if status["code"] == NO_PATH:
        return "it is empty: no backup of this database is there"
    details = [repository["status"].get("message", "") for repository in stanza.get("repo", [])]
    message = " ".join(" ".join([*details, "" if any(details) else status["message"]]).split())
    return explained(message)


def explained(said: str) -> str:
    """Return a repository's fault in plain words, from what pgBackRest said."""
    if "CryptoError" in said or "unable to flush" in said or "FormatError" in said:
        return "our passphrase does not open it, or its list of backups is damaged"
    if "403" in said or "AccessDenied" in said:
        return "it refuses our keys (403 Forbidden)"
    if "access denied" in said:
        return "it does not let this host's certificate in"
    if "unable to find hostname" in said or "certificate" in said:
        return f"its certificate is not trusted: {said[:200]}"
    return f"it cannot be read: {''.join(character for character in said[:300] if character.isprintable())}"


def _parsed(text: str) -> Any:
    try:
        return json.loads(text or "{}", strict=False)  # messages in it hold line ends
    except ValueError:
        raise Failed(f"pgBackRest answers in another way than expected: {text[:200]}") from None


def archived(settings: Settings, number: int) -> list[Segment]:
    """Return the WAL segments in a repository. Raises `Failed`."""
    words = ("--recurse", "--output=json", "repo-ls", f"archive/{settings.stanza}")
    return segments(_parsed(_ask(settings, number, *words)))


def listed(settings: Settings, number: int, path: str) -> Any:
    """Return what is in a folder of a repository, by name. No key is needed for it. Raises `Failed`."""
    return _parsed(_ask(settings, number, "--output=json", "repo-ls", *([path] if path else [])))


def _ask(settings: Settings, number: int, *words: str) -> str:
    """Return what a repository answers. Raises `Failed`."""
    ended = pgbackrest(settings, f"--repo={number}", f"--io-timeout={IO_TIMEOUT}", *words, timeout=ANSWER)
    if ended.code == TIMED_OUT:
        raise Failed(f"it does not answer within {ANSWER} s")
    if ended.code:
        raise Failed(explained(ended.why))
    return ended.output


def missing_wal(kept: list[KeptBackup], archive: list[Segment]) -> list[Gap]:
    """Return the gaps in the WAL from the oldest backup to now."""
    needed: dict[int, int] = {}
    for backup in kept:
        start, stop = Segment.named(backup.wal_start), Segment.named(backup.wal_stop)
        if start and stop:
            needed[start.timeline] = min(needed.get(start.timeline, start.number), start.number)
    return gaps(archive, needed)


def verify(settings: Settings, number: int) -> list[str]:
    """Read every file of a repository back, and return what is wrong with any. Raises `Failed`."""
    ended = pgbackrest(settings, f"--repo={number}", "--output=text", "--verbose", "verify")
    return read_verification(ended.code, ended.output, ended.errors)


_BACKUP = re.compile(r"\s*backup: (\S+), status: (\w+)")
_WAL = re.compile(r"total WAL checked: (\d+), total valid WAL: (\d+)")
_COUNTS = re.compile(r"(missing|checksum invalid|size invalid|other): (\d+)")


def read_verification(code: int, output: str, errors: str) -> list[str]:
    """Read what `verify --output=text --verbose` said. Its exit code is 0 also for a damaged repository.

    Only the line "status: ok" says that all is well: silence says nothing.
    """
    faults: list[str] = []
    for line in output.splitlines():
        backup, wal, counts = _BACKUP.match(line), _WAL.search(line), _COUNTS.findall(line)
        if backup and backup[2] != "valid":
            faults.append(f"backup {backup[1]} is {backup[2]}")
        elif wal and wal[1] != wal[2]:
            faults.append(f"{int(wal[1]) - int(wal[2])} of {wal[1]} WAL segments cannot be read back")
        elif counts and faults and any(count != "0" for _, count in counts):
            faults[-1] += f" (files: {', '.join(f'{count} {what}' for what, count in counts if count != '0')})"
        elif line.strip().startswith("No usable "):
            faults.append(line.strip())
    is_well = re.search(r"^\s*status: ok$", output, re.MULTILINE)
    if not faults and (code or not is_well):
        words = (errors or output).strip().splitlines()
        faults.append(f"reading it back did not end well: {words[-1] if words else 'pgBackRest said nothing'}")
    return faults
