"""What is claimed of the backups. They are tried by `verify` alone: no rollout waits for a night's backup."""

from __future__ import annotations

from deploys.component import Check
from deploys.paths import BACKUP_PROGRAM

TIMERS = ("health-v1-backup-full.timer", "health-v1-backup-incr.timer", "health-v1-backup-watch.timer")
BACK_UP = "run: healthv1 backup now ENV"


def asks(claim: str) -> str:
    """Return a command that succeeds when one of our program's claims holds, and else prints why it does not."""
    return f"/usr/bin/python3 -I -B {BACKUP_PROGRAM} claim {claim}"


LOCKED = Check(
    "What the host's key deletes in the bucket can be brought back",
    asks("locked"),
    "see what a thief of it could do: healthv1 backup check ENV; docs/backup-lock.md shows how to make the bucket",
)


def checks(*, locked: bool) -> list[Check]:
    running = " && ".join(
        f"systemctl is-active --quiet {timer} && systemctl is-enabled --quiet {timer}" for timer in TIMERS
    )
    return [
        Check(
            "Every backup, and all WAL from the oldest one to now, was read back without a fault",
            asks("proven"),
            "run: healthv1 backup verify ENV; what it names is lost in the repository: healthv1 backup now ENV --full",
        ),
        Check("The newest backup is as young as the timers have it", asks("recent"), BACK_UP),
        Check(
            "WAL is archived continuously",
            asks("archived"),
            "see whether the repository can be reached: healthv1 backup check ENV",
        ),
        Check(
            "The canary's database has a row for each minute",
            asks("canary"),
            "read: journalctl -u health-v1-backup-watch.service",
        ),
        Check(
            "The disk has room for WAL that waits, and its reserve is there",
            asks("room"),
            "make room on it; the reserve comes back within a minute",
        ),
        Check(
            "The timers of the backups run",
            running,
            "run: healthv1 apply ENV",
        ),
        *[LOCKED] * locked,
    ]


def missing(why: str, hint: str) -> list[Check]:
    """Return the claim of a host without backups: it does not hold."""
    return [Check("The database is backed up", f"echo {why!r}; false", hint)]
