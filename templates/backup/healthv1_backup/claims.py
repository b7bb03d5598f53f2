"""The claims about backups, told from what was noted: `verify` and a pipeline ask them within a second.

One is tried: what a bucket lets the host's key delete.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from healthv1_backup import drilling, evidence, exporting, locking, notes, proof, steps
from healthv1_backup.settings import DAY, STATE, Settings
from healthv1_backup.watching import NEARLY_FULL, NOTE

SLACK = 3 * 3600
"""Seconds: a backup begins up to half an hour late, and takes a while."""
MISSED_MINUTES = 5 * 60
FIRST_LOOK = 150
"""Seconds after a start of the host until which the minute's look was surely taken."""
PROC = Path("/proc")
MOST_WAITING = 8
"""WAL segments."""


def backups_are_proven(settings: Settings, now: float) -> list[str]:
    """Return what is wrong with the last reading of each repository."""
    faults: list[str] = []
    for number, folder in enumerate(settings.repositories, 1):
        noted = proof.noted().of(number)
        if noted is None or noted.folder != folder:
            faults.append(f"repository {number} was never read back")
            continue
        faults += [f"repository {number}: {fault}" for fault in noted.faults]
        if now - noted.tried > DAY + SLACK:
            faults.append(f"repository {number} was last read back {_ago(now - noted.tried)}")
    return faults


def backups_are_recent(settings: Settings, now: float) -> list[str]:
    faults: list[str] = []
    failure = notes.read("failure")
    if failure:
        faults.append(f"the last backup failed {_ago(now - failure['at'])}: {failure['what']}")
    for noted in proof.noted().proofs:
        if not noted.newest:
            faults.append(f"repository {noted.repository}: there is no backup")
        elif now - noted.newest > settings.longest_pause + SLACK:
            faults.append(f"repository {noted.repository}: the newest backup ended {_ago(now - noted.newest)}")
    return faults


def wal_is_archived(settings: Settings, now: float) -> list[str]:
    watched = notes.read(NOTE)
    if not watched:
        return ["nobody looked yet"]
    age = now - watched["unarchived_since"]
    faults = []
    if age > 2 * settings.archive_timeout + MISSED_MINUTES and not just_booted():
        faults.append(f"what was written since {_ago(age)} is on this host alone")
    if watched["waiting"] > MOST_WAITING:
        faults.append(f"{watched['waiting']} WAL segments wait on the host")
    return faults


def canary_is_alive(settings: Settings, now: float) -> list[str]:  # noqa: ARG001 - one form for all
    watched = notes.read(NOTE)
    age = now - watched.get("beat", 0)
    if age < MISSED_MINUTES or (just_booted() and not watched.get("fault")):
        return []
    fault = watched.get("fault") or "the timer does not run"
    return [f"its last row was written {_ago(age) if watched.get('beat') else 'never'}: {fault}"]


def disk_has_room(settings: Settings, now: float) -> list[str]:
    watched = notes.read(NOTE)
    if not watched:
        return ["nobody looked yet"]
    faults = []
    if watched["reserve_gone"]:
        faults.append(f"the disk was nearly full {_ago(now - watched['reserve_gone'])}, and its reserve went")
    if watched["free"] < 5 * NEARLY_FULL:
        faults.append(
            f"{watched['free']:.0%} of the disk with {settings.data} is free, and WAL takes"
            f" {watched['wal_bytes'] >> 20} MiB of it"
        )
    return faults


def restore_was_drilled(settings: Settings, now: float) -> list[str]:
    """Until the first one is due, counted from when backups began, nothing is wrong."""
    noted = drilling.Noted.read()
    faults = []
    if noted.last_try and noted.result != drilling.PASSED:
        faults.append(f"the last drill, {_ago(now - noted.last_try)}: {noted.result}: {'; '.join(noted.why)}")
    if not noted.last_success and now - _turned_on(settings) > settings.drill_max_age:
        faults.append("no drill ever passed")
    elif noted.last_success and now - noted.last_success > settings.drill_max_age:
        faults.append(f"the last drill that passed was {_ago(now - noted.last_success)}")
    return faults


def _turned_on(settings: Settings) -> float:
    """Return when backups began; on a host for drills, when it became one."""
    try:
        return (STATE / "prepared" if settings.live else evidence.KEY).stat().st_mtime
    except OSError:
        return 0


def export_is_recent(settings: Settings, now: float) -> list[str]:
    noted = exporting.Noted.read()
    faults = []
    if noted.why:
        faults.append(f"the last export, {_ago(now - noted.last_try)}: {noted.why}")
    if now - noted.last_success > settings.exports.get("max_age", 0):
        since = f"was {_ago(now - noted.last_success)}" if noted.last_success else "never was"
        faults.append(f"the last export that succeeded {since}")
    return faults


def no_restore_is_unfinished(settings: Settings, now: float) -> list[str]:  # noqa: ARG001 - one form for all
    return steps.unfinished()


def buckets_keep_what_is_deleted(settings: Settings, now: float) -> list[str]:  # noqa: ARG001 - one form for all
    return locking.failing(settings)


CLAIMS: dict[str, Callable[[Settings, float], list[str]]] = {
    "proven": backups_are_proven,
    "recent": backups_are_recent,
    "archived": wal_is_archived,
    "canary": canary_is_alive,
    "room": disk_has_room,
    "drilled": restore_was_drilled,
    "exported": export_is_recent,
    "restored": no_restore_is_unfinished,
    "locked": buckets_keep_what_is_deleted,
}


def failing(name: str, settings: Settings) -> list[str]:
    return CLAIMS[name](settings, time.time())


def just_booted() -> bool:
    """Whether the host was off until now: the minute's look has not had its turn.

    By the age of process 1: in a container the uptime is that of the machine around it.
    """
    up = float((PROC / "uptime").read_text(encoding="ascii").split()[0])
    started = int((PROC / "1/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19])  # proc(5): starttime
    return up - started / os.sysconf("SC_CLK_TCK") < FIRST_LOOK


def _ago(seconds: float) -> str:
    for unit, length in (("days", DAY), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"
