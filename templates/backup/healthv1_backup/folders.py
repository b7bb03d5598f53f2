"""What other hosts keep in a repository: one that is lost has left its folder there, and nobody writes to it any more.

It is looked at by its names and times alone: no key is needed for that, and nothing in it is ever changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from healthv1_backup import repository
from healthv1_backup.continuity import Segment
from healthv1_backup.processes import Failed
from healthv1_backup.settings import Settings

_HISTORY, _VERSION = re.compile(r"[0-9a-f]{12}"), re.compile(r"[0-9]+")
_CLUSTER = re.compile(r"([0-9.]+)-([0-9]+)")
_LOG = re.compile(r"[0-9A-F]{16}")
Listed = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class LeftFolder:
    repository: int
    path: str
    """/health-v1/HISTORY/VERSION: the host's, and the version of the passphrase."""
    label: str
    """Of the newest backup."""
    backed_up: float
    """When it ended, in seconds since 1970, as `archived`."""
    segment: str
    """The newest WAL segment, and when it arrived: a host that runs sends one within minutes."""
    archived: float
    timeline: int
    postgresql: str
    """The major version that wrote it."""


def left(settings: Settings) -> list[LeftFolder]:
    """Return the folders with backups that are not ours, in each repository. Raises `Failed`."""
    return [
        folder
        for number in range(1, len(settings.repositories) + 1)
        for path in _paths(settings, number)
        if (folder := look(settings, number, path))
    ]


def _paths(settings: Settings, number: int) -> list[str]:
    base, ours, _ = settings.repositories[number - 1].rsplit("/", 2)
    histories = [name for name in _list(settings, number, base) if _HISTORY.fullmatch(name) and name != ours]
    return [
        f"{base}/{history}/{version}"
        for history in sorted(histories)
        for version in sorted(_list(settings, number, f"{base}/{history}"))
        if _VERSION.fullmatch(version)
    ]


def look(settings: Settings, number: int, path: str) -> LeftFolder | None:
    """Return what a folder holds; None where there is no backup of a cluster of this name. Raises `Failed`."""
    backups = _list(settings, number, path, f"backup/{settings.stanza}")
    labels = sorted(name for name in backups if re.match(r"\d{8}-\d{6}F", name))
    clusters = _list(settings, number, path, f"archive/{settings.stanza}")
    newest = max((match for name in clusters if (match := _CLUSTER.fullmatch(name))), key=_age, default=None)
    if not labels or newest is None:
        return None
    segment, archived = _newest_segment(settings, number, path, f"archive/{settings.stanza}/{newest[0]}")
    backed_up = float(backups.get("backup.info", {}).get("time", 0))
    timeline = segment.timeline if segment else 0
    return LeftFolder(
        number, path, labels[-1], backed_up, str(segment or ""), archived, timeline, newest[1].partition(".")[0]
    )


def _age(cluster: re.Match[str]) -> int:
    """Of two clusters in one folder the later one has the greater number: a restored one takes the place of another."""
    return int(cluster[2])


def _newest_segment(settings: Settings, number: int, path: str, archive: str) -> tuple[Segment | None, float]:
    logs = sorted(name for name in _list(settings, number, path, archive) if _LOG.fullmatch(name))
    if not logs:
        return None, 0
    listed = _list(settings, number, path, f"{archive}/{logs[-1]}")
    segments = [
        (segment, float(entry.get("time", 0))) for name, entry in listed.items() if (segment := Segment.named(name))
    ]
    return max(segments, default=(None, 0))


def _list(settings: Settings, number: int, folder: str, path: str = "") -> Listed:
    listed = repository.listed(settings.reading(number, folder), number, path)
    if not isinstance(listed, dict):
        raise Failed(f"{folder}/{path} cannot be listed")
    return {name: entry for name, entry in listed.items() if name != "."}
