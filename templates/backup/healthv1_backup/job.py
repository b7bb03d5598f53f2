"""The note of a restore: which step it is in. It is on the disk before each step begins: a kill loses nothing."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from healthv1_backup import notes
from healthv1_backup.instance import Instance, refuse_without_room
from healthv1_backup.processes import Failed, say
from healthv1_backup.settings import Settings

NOTE = "restore"
SCHEMA = 1
UNIT = "health-v1-restore.service"
RUN = Path("/run/health-v1-restored")
KILL_AT = "HEALTHV1_KILL_AT"
"""For tests: the step at whose beginning the program is killed, as a power cut would."""

BESIDE = ("restoring", "recovering", "checking")
"""The steps of a restore beside. The live data are not touched in any."""
SWAP = ("promoting", "preparing", "stopping", "exchanging", "starting", "archiving", "backing-up")
OTHER = ("returning", "removing")
KEPT, SWAPPED = "kept", "swapped"
"""What a job ends in: a copy is kept beside the live data, or the former live data are."""
MEANING = {
    "restoring": "the backup is written into a folder of its own",
    "recovering": "WAL is replayed, and the copy is proven",
    "checking": "each page's checksum is checked",
    "kept": "the copy is kept beside the live data",
    "promoting": "the former data get a history of their own",
    "preparing": "the copy is prepared, and the live database writes its checkpoint",
    "stopping": "the live database stops",
    "exchanging": "the data directories change places",
    "starting": "the database starts with the other data",
    "archiving": "the first WAL of the new history is archived",
    "backing-up": "a full backup begins",
    "swapped": "the former data are kept aside",
    "returning": "the data that served before serve again",
    "removing": "what was kept aside is removed",
}


class Busy(Failed):
    """Another restore is under way, or its copy is kept."""

    code = 5


class Unproven(Failed):
    """The copy is not proven."""

    code = 3


@dataclass
class Job:
    """A restore, from its first step until what it kept is discarded."""

    phase: str
    asked: dict[str, Any] = field(default_factory=dict)
    """What the user asked for, and what follows: text, kind, value, timeline, moment, label, repository …"""
    began: float = 0
    steps: list[dict[str, Any]] = field(default_factory=list)
    """The name of each step that began, and when."""
    failure: dict[str, Any] = field(default_factory=dict)
    """Why its last try ended: step, what, code."""
    proven: dict[str, Any] = field(default_factory=dict)
    swap: dict[str, Any] = field(default_factory=dict)
    """Of the last swap: timelines, what the copy's control file said, the outage."""

    @classmethod
    def load(cls) -> Job | None:
        """Return the noted job; None when nothing is under way, and nothing is kept."""
        document = notes.read(NOTE)
        if document.pop("schema", None) != SCHEMA:
            return None
        return cls(**document)

    @property
    def rests(self) -> bool:
        """Whether it waits for what the user wants next."""
        return self.phase in {KEPT, SWAPPED}

    def save(self) -> None:
        notes.write(NOTE, {"schema": SCHEMA, **vars(self)})

    def enter(self, phase: str) -> None:
        """Note that a step begins."""
        self.phase = phase
        self.steps.append({"name": phase, "at": round(time.time(), 2)})
        self.failure = {}
        self.save()
        say(f"{phase}: {MEANING[phase]}.")
        if os.environ.get(KILL_AT) == phase:
            os.kill(os.getpid(), signal.SIGKILL)

    def fail(self, error: Exception) -> None:
        self.failure = {"step": self.phase, "what": str(error), "code": getattr(error, "code", 1), "at": time.time()}
        self.save()

    @staticmethod
    def end() -> None:
        """Forget it: nothing is kept any more."""
        notes.remove(NOTE)


def refuse_kept(job: Job | None) -> None:
    """Raise `Busy` where another restore is under way or kept: what becomes of it is the user's to say."""
    if job is None:
        return
    if job.phase == KEPT:
        raise Busy(f"a copy of {job.asked['text']} is kept beside the live data")
    if job.rests:
        raise Busy("the former data of a swap are kept aside")
    raise Busy(f"a restore to {job.asked['text']} is under way, at {job.phase}")


def refuse_place(settings: Settings, size: int) -> None:
    """Raise `Failed` where a copy cannot lie beside the live data. + size: of the database, in bytes."""
    copy, live = copy_of(settings), live_data(settings)
    if not copy.is_there and copy.folder.exists() and any(copy.folder.iterdir()):
        raise Failed(f"{copy.folder} is not ours: move it away")
    if live.exists() and live.stat().st_dev != live.parent.stat().st_dev:
        raise Failed(f"{live} is the top of a file system: nothing could lie beside it on the same one")
    refuse_without_room(copy.folder, size)


def live_data(settings: Settings) -> Path:
    """Return where the live data really are."""
    return Path(settings.data).resolve()


def copy_of(settings: Settings, repository: int = 0) -> Instance:
    """Return the one place of a copy: beside the live data, where the two can change places."""
    live = live_data(settings)
    return Instance(settings, live.with_name(f"{live.name}.restored"), RUN, repository)
