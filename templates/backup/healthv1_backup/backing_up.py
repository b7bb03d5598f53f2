"""One backup: made in every repository, and read back."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager

from healthv1_backup import notes, proof, repository, retired
from healthv1_backup.processes import Failed, pgbackrest, say
from healthv1_backup.settings import RUN, Settings

KINDS = ("full", "incr")
SAME_NIGHT = 3600
"""Seconds. A backup that ended so short a time ago spares the incremental one."""


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other backup runs, and keep others waiting."""
    RUN.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (RUN / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def back_up(settings: Settings, kind: str, *, by_timer: bool = False) -> proof.Noted:
    """Make a backup in every repository, and read every repository back. Raises `Failed` when one was not made.

    + by_timer: an incremental one is left out when another backup ended within the last hour.
    """
    with alone():
        if by_timer and kind == "incr" and _was_just_made(settings):
            say("A backup was just made: none is due.")
            return proof.noted()
        failures: list[str] = []
        for number in range(1, len(settings.repositories) + 1):
            began = time.time()
            ended = pgbackrest(settings, f"--repo={number}", f"--type={kind}", "backup")
            if ended.code:
                failures.append(f"repository {number}: {ended.why}")
                notes.write("failure", {"at": int(time.time()), "repository": number, "what": ended.why})
            else:
                say(f"Repository {number}: backed up in {time.time() - began:.0f} s ({kind}).")
        noted = proof.prove_all(settings)
        for failure in failures:
            say(failure)
        if failures:
            raise Failed("; ".join(failures))
        notes.remove("failure")
        retired.remove_old(settings, noted)
        return noted


def _was_just_made(settings: Settings) -> bool:
    now = time.time()
    newest = [proof.newest for proof in proof.noted().proofs]
    return len(newest) == len(settings.repositories) and all(now - stopped < SAME_NIGHT for stopped in newest)


def prove(settings: Settings) -> proof.Noted:
    with alone():
        return proof.prove_all(settings)


def kept(settings: Settings) -> list[dict[str, object]]:
    """Return the backups in each repository, and what is wrong with it."""
    rows: list[dict[str, object]] = []
    for number, folder in enumerate(settings.repositories, 1):
        row: dict[str, object] = {"repository": number, "folder": folder, "fault": "", "backups": []}
        try:
            row["backups"] = [vars(backup) for backup in repository.backups(settings, number)]
        except Failed as error:
            row["fault"] = str(error)
        rows.append(row)
    return rows
