"""What is claimed of the backups. They are tried by `verify` alone: no rollout waits for a night's backup."""

from __future__ import annotations

from collections.abc import Sequence

from deploys.component import Check
from deploys.paths import BACKUP_PROGRAM

WATCH_TIMER = "health-v1-backup-watch.timer"
TIMERS = ("health-v1-backup-full.timer", "health-v1-backup-incr.timer", WATCH_TIMER)
EXPORT_TIMER = "health-v1-export.timer"
DRILL_TIMER = "health-v1-drill.timer"
BACK_UP = "run: healthv1 backup now ENV"


def asks(claim: str) -> str:
    """Return a command that succeeds when one of our program's claims holds, and else prints why it does not."""
    return f"/usr/bin/python3 -I -B {BACKUP_PROGRAM} claim {claim}"


LOCKED = Check(
    "What the host's key deletes in the bucket can be brought back",
    asks("locked"),
    "see what a thief of it could do: healthv1 backup check ENV; docs/backup-lock.md shows how to make the bucket",
)


def drill_claim(max_age: int) -> str:
    """Return the claim. + max_age: days."""
    return f"A restore drill passed within the last {max_age} days, and the last one did"


EXPORTED = Check(
    "The newest export for others is as young as its timer has it",
    asks("exported"),
    "read there: journalctl -u health-v1-export.service; make another: systemctl start health-v1-export.service",
)


def drill_checks(max_age: int, *, drill: bool, drill_off: str) -> list[Check]:
    """Return the claim of the host that runs drills.

    + max_age: days.
    + drill: whether drills run; else `drill_off` says why not.
    """
    drilled = Check(
        drill_claim(max_age),
        asks("drilled"),
        "see what it found: healthv1 drill show ENV; run another: healthv1 drill now ENV",
    )
    undrilled = Check(
        "Restore drills run",
        "echo 'backup.drill is None'; false",
        'in group_data: backup = Backup(drill="Sat 04:00", …); or Backup(drill=None, drill_off="REASON", …)',
    )
    return [drilled] if drill else [] if drill_off else [undrilled]


def timers_run(timers: Sequence[str], sentence: str) -> Check:
    """Return the claim. + timers: those that are to run."""
    running = " && ".join(
        f"systemctl is-active --quiet {timer} && systemctl is-enabled --quiet {timer}" for timer in timers
    )
    return Check(sentence, running, "run: healthv1 apply ENV")


def checks(timers: Sequence[str], *, locked: bool, exports: bool = False) -> list[Check]:
    """Return the claims.

    + timers: those that are to run.
    + locked: whether a bucket is said to keep what is deleted.
    + exports: whether copies are made for others.
    """
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
            "No restore was left half done",
            asks("restored"),
            "go on with it: healthv1 restore ENV --resume; or undo it: healthv1 restore ENV --abandon",
        ),
        timers_run(timers, "The timers of the backups run"),
        *[LOCKED] * locked,
        *[EXPORTED] * exports,
    ]


def missing(why: str, hint: str) -> list[Check]:
    """Return the claim of a host without backups: it does not hold."""
    return [Check("The database is backed up", f"echo {why!r}; false", hint)]
