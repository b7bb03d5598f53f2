"""Folders of earlier passphrases: kept until their last backup is as old as backups are kept, then removed."""

from __future__ import annotations

import time
from typing import Any

from healthv1_backup import notes, proof
from healthv1_backup.processes import pgbackrest, say
from healthv1_backup.settings import Settings

NOTE = "retired"
DAY = 86_400
PARTS = ("backup", "archive")
STOPPED = "--lock-path=/run/lock/health-v1-backup/retired"
"""Where pgBackRest is told that a stanza is at rest, as it wants to be. Whatever archives looks elsewhere."""


def note_retired(before: list[str], settings: Settings) -> None:
    """Note which folders are no longer written to.

    + before: the folders so far, the first repository's first.
    """
    entries = [entry for entry in _entries() if entry["folder"] not in settings.repositories]
    known = {entry["folder"] for entry in entries}
    for number, folder in enumerate(before, 1):
        if number <= len(settings.repositories) and folder not in {*settings.repositories, *known}:
            entries.append({"repository": number, "folder": folder, "since": int(time.time())})
    if entries or _entries():
        notes.write(NOTE, {"folders": entries})


def due(settings: Settings, noted: proof.Noted, now: float) -> list[dict[str, Any]]:
    """Return the folders that nobody needs any more.

    They are as old as backups are kept, and the repository's folder of today reaches back as far, and was read back.
    """
    kept = settings.keep_days * DAY
    due_folders = []
    for entry in _entries():
        today = noted.of(entry["repository"])
        reaches_back = today is not None and today.holds and today.oldest <= now - kept + DAY
        if entry["folder"] not in settings.repositories and now - entry["since"] > kept and reaches_back:
            due_folders.append(entry)
    return due_folders


def remove_old(settings: Settings, noted: proof.Noted) -> None:
    """Remove the folders that are due."""
    for entry in due(settings, noted, time.time()):
        number, folder = entry["repository"], entry["folder"]
        failures = remove(settings, number, folder)
        if failures:
            say(f"{folder}, of an earlier passphrase, could not be removed: {'; '.join(failures)}")
            continue
        say(
            f"{folder}, of an earlier passphrase, was removed: its last backup is older than {settings.keep_days} days."
        )
        notes.write(NOTE, {"folders": [other for other in _entries() if other != entry]})


def remove(settings: Settings, number: int, folder: str) -> list[str]:
    """Remove all backups and all WAL in a folder, and return what failed."""
    at = (f"--repo={number}", f"--repo{number}-path={folder}")
    calls: list[tuple[str, ...]] = [(*at, "repo-rm", "--recurse", part) for part in PARTS]
    if settings.hosts and settings.hosts[number - 1]:  # repo-rm of pgBackRest 2.55 breaks off on another host
        calls = [(STOPPED, "stop"), (STOPPED, *at, "--force", "stanza-delete")]
    return [ended.why for words in calls if (ended := pgbackrest(settings, *words)).code]


def _entries() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = notes.read(NOTE).get("folders", [])
    return entries
