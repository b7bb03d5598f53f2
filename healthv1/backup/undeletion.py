"""Which old versions have to be current again, for a repository to be what it was at a moment.

+ What was current then is current again, whatever hides it now: a marker, or other content.
+ WAL that was archived after that moment comes back too, as it was first written: without it there would be a gap
  between the moment and now. No segment is ever written twice with other content.
+ What came later and hides nothing stays: nothing here deletes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

from deploys.operations.change import Change
from healthv1.errors import Fault
from healthv1.plan import counted
from healthv1.storage.versions import ObjectVersion

SCHEMA = 1
_WAL = re.compile(r"/archive/[^/]+/[^/]+/")
_INFO = re.compile(r"/(archive|backup)\.info(\.copy)?$")
_BACKUP = re.compile(r"/backup/[^/]+/(\d{8}-\d{6}F(?:_\d{8}-\d{6}[DI])?)/backup\.manifest$")


@dataclass(frozen=True)
class Undeletion:
    """What is due, in the order in which it has to be done."""

    due: tuple[ObjectVersion, ...]
    done: int
    """Objects that are as they were, or are our copies of what they were."""
    later: int
    """Objects that came after the moment; they stay."""
    backups: tuple[str, ...]
    """The labels of backups that the repository then lists, the oldest first."""
    unlisted: tuple[str, ...]
    """Those that are listed now, and came after the moment."""

    @property
    def size(self) -> int:
        return sum(version.size for version in self.due)


@dataclass(frozen=True)
class UndeleteWish:
    """What is to be brought back."""

    to: str
    repo: int = 1
    folder: str = ""
    """Below the environment's own; empty: the one that the host writes to."""
    preview: bool = False


@dataclass(frozen=True)
class Undeleted:
    environment: str
    bucket: str
    folder: str
    to: str
    found: Undeletion
    copied: int = 0
    declined: bool = False
    faults: tuple[Fault, ...] = ()

    def change(self) -> Change:
        """Return it as a plan and the journal name it."""
        return Change("bucket", f"{self.bucket}{self.folder}", "restore", counted(len(self.found.due), "object"))

    def as_json(self) -> dict[str, Any]:
        counts = {"due": len(self.found.due), "bytes": self.found.size, "copied": self.copied, "done": self.found.done}
        counts["later"] = self.found.later
        labels = {"backups": self.found.backups, "unlisted": self.found.unlisted}
        named = {name: getattr(self, name) for name in ("environment", "bucket", "folder", "to", "declined")}
        return {"schema": SCHEMA, **named, **counts, **labels, "faults": [asdict(fault) for fault in self.faults]}


def undeletion(versions: Iterable[ObjectVersion], to: datetime, copied_from: Callable[[str], str]) -> Undeletion:
    """Return what is due.

    + versions: all of a folder, in any order.
    + copied_from: of which version the current one of a key is our copy.
    """
    ordered = sorted(versions, key=attrgetter("key"))
    due: list[ObjectVersion] = []
    then: set[str] = set()
    now: set[str] = set()
    done = later = 0
    for key, group in groupby(ordered, key=attrgetter("key")):
        history = sorted(group, key=_age)
        wanted, current = wanted_version(history, to), history[-1]
        label = _BACKUP.search(key)
        if label and not current.marker:
            now.add(label[1])
        if wanted is None:
            later += not current.marker
            continue
        if label:
            then.add(label[1])
        if is_current(wanted, current, copied_from):
            done += 1
        else:
            due.append(wanted)
    return Undeletion(tuple(sorted(due, key=_turn)), done, later, tuple(sorted(then)), tuple(sorted(now - then)))


def _age(version: ObjectVersion) -> tuple[datetime, bool, bool]:
    """Order the versions of a key. Within one second, as exactly as some servers tell, a marker is the later one."""
    return version.at, version.latest, version.marker


def wanted_version(history: list[ObjectVersion], to: datetime) -> ObjectVersion | None:
    """Return the version of an object that was current at a moment, or None: it was not there.

    A marker of that very second does not count: in doubt the object was there.

    + history: its versions, the oldest first.
    + to: in whole seconds.
    """
    until = [version for version in history if _counts(version, to)]
    if until:
        return None if until[-1].marker else until[-1]
    written = [version for version in history if not version.marker]
    return written[0] if written and is_wal(written[0].key) else None


def _counts(version: ObjectVersion, to: datetime) -> bool:
    at = version.at.replace(microsecond=0)
    return at < to if version.marker else at <= to


def is_wal(key: str) -> bool:
    return bool(_WAL.search(f"/{key}"))


def is_current(wanted: ObjectVersion, current: ObjectVersion, copied_from: Callable[[str], str]) -> bool:
    """Whether an object has the content that is wanted. Asks the server only where the listing leaves it open."""
    if current.id == wanted.id:
        return True
    if current.marker or current.size != wanted.size:
        return False
    # A file that was uploaded in parts has another digest as a copy.
    return current.digest == wanted.digest or copied_from(wanted.key) == wanted.id


def _turn(version: ObjectVersion) -> tuple[bool, str]:
    """Bring the lists of what is there last: with them, hosts go on to archive."""
    return bool(_INFO.search(f"/{version.key}")), version.key


def is_list(version: ObjectVersion) -> bool:
    return _turn(version)[0]


def is_below(folder: str, own: str) -> bool:
    """Whether a folder lies below another one, which is an environment's own."""
    return folder.startswith(f"{own}/") and not {"", ".", ".."} & set(folder.removeprefix(f"{own}/").split("/"))
