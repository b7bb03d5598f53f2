"""A restore step by step: each is noted before it begins, can be done again, and names the one that follows."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from healthv1_backup import restoring, swapping
from healthv1_backup.backing_up import alone
from healthv1_backup.job import BESIDE, KEPT, MEANING, SWAP, UNIT, Busy, Job, copy_of, live_data
from healthv1_backup.processes import Failed, say
from healthv1_backup.settings import Settings
from healthv1_backup.swapping import is_exchanged, systemctl

STEPS: dict[str, Callable[[Settings, Job], str]] = {
    "restoring": restoring.restore,
    "recovering": restoring.recover,
    "checking": restoring.check,
    "promoting": swapping.promote,
    "preparing": swapping.prepare,
    "stopping": swapping.stop,
    "exchanging": swapping.change_places,
    "starting": swapping.start,
    "archiving": swapping.archive,
    "backing-up": swapping.back_up,
    "returning": swapping.turn_back,
    "removing": swapping.remove,
}
"""By the step: what it does; it returns the step that follows, and "" when nothing is left."""
_RISKY = ("stopping", "exchanging", "starting")
"""Steps in which the database is down: when one fails, the data serve again that served before."""


def start() -> None:
    """Have the noted job go on, in a unit of its own."""
    systemctl("daemon-reload")
    systemctl("reset-failed", UNIT)
    systemctl("start", "--no-block", UNIT, must=True)


def go(settings: Settings) -> int:
    """Go on with the noted job until it rests or fails; return the exit code."""
    job = Job.load()
    if job is None or job.rests:
        return 0
    if job.phase in SWAP:
        for unit in swapping.BACKUPS:  # what they copy is not going to serve any more
            systemctl("stop", unit)
        with alone():  # no backup begins meanwhile
            return _go(settings, job)
    return _go(settings, job)


def _go(settings: Settings, job: Job) -> int:
    phase = job.phase
    while phase:
        job.enter(phase)
        if job.rests:
            return 3 if phase == KEPT and job.proven.get("faults") else 0
        try:
            phase = STEPS[phase](settings, job)
        except (Failed, OSError, subprocess.SubprocessError) as error:
            say(f"{phase}: {error}")
            job.fail(error)
            if phase in _RISKY and _went_back(settings, job):
                return 1
            return int(getattr(error, "code", 1))
    job.end()
    return 0


def _went_back(settings: Settings, job: Job) -> bool:
    """Have the former data serve again after a step failed, and keep why. Returns whether they do."""
    failure = job.failure
    try:
        phase = swapping.turn_back(settings, job)
    except (Failed, OSError) as error:
        say(f"Going back: {error}")
        return False
    job.enter(phase)
    job.failure = failure
    job.save()
    return True


def abandon(settings: Settings) -> Job:
    """Have a job that is under way undone. Raises `Failed` where nothing is, or where the new data have served."""
    job = Job.load()
    if job is None:
        raise Failed("no restore is under way, and nothing is kept")
    if job.rests:
        raise Busy("no restore is under way; what is kept goes with --discard")
    systemctl("stop", UNIT)
    job = Job.load() or job
    if job.phase in {"archiving", "backing-up"} or (
        job.phase in SWAP and is_exchanged(settings, job) and swapping.has_served(settings, job)
    ):
        raise swapping.Serves("the new data serve already: go on with --resume")
    if not job.rests:
        job.phase = "returning" if job.phase in {*SWAP, "returning"} else "removing"
        job.save()
    return job


def discard() -> Job:
    """Have what is kept removed."""
    job = Job.load()
    if job is None:
        raise Failed("nothing is kept")
    if not job.rests:
        raise Busy(f"a restore to {job.asked['text']} is under way, at {job.phase}")
    job.phase = "removing"
    job.save()
    return job


def status(settings: Settings) -> dict[str, Any]:
    """Return the noted job, and whether its unit works on it; `phase` is empty where there is none."""
    job = Job.load()
    if job is None:
        return {"phase": "", "active": False}
    return {
        **vars(job),
        "meaning": MEANING.get(job.phase, ""),
        "active": is_active(),
        "rests": job.rests,
        "folder": str(copy_of(settings).folder),
        "undo": "remove" if job.phase in BESIDE else "return" if job.phase in SWAP else "",
        "now": time.time(),
    }


def is_active() -> bool:
    argv = ["systemctl", "show", "-p", "ActiveState", "--value", UNIT]
    state = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
    return state in {"active", "activating", "deactivating", "reloading"}


def kept(settings: Settings) -> dict[str, Any]:
    """Describe what would be lost with what is kept: its size, and up to when it has everything."""
    standing = status(settings)
    job = Job.load()
    if job and job.rests:
        former = job.swap.get("former_beat") if job.phase == "swapped" else job.proven.get("canary")
        standing |= {"bytes": _size(copy_of(settings).folder), "newest": former, "live": str(live_data(settings))}
    return standing


def _size(folder: Path) -> int:
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(path, name)).st_size  # noqa: PTH118 - of millions of files
    return total


def unfinished() -> list[str]:
    """Return what is left half done, for the claim: nobody works on it, and somebody has to say what becomes of it."""
    job = Job.load()
    if job is None or job.rests or is_active():
        return []
    why = f": {job.failure['what']}" if job.failure else ""
    return [f"a restore to {job.asked['text']} stopped at {job.phase}{why}"]
