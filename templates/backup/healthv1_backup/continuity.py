"""Whether the WAL in a repository has a gap. pgBackRest does not tell: `info` shows the first and the last segment.

A restore to the latest moment ends at a gap, and says nothing of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

SEGMENTS = 0x100
"""Of 16 MB, in one log file of 4 GB: after …FF comes the next log."""
_SEGMENT = re.compile(r"(?:.*/)?([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(?:-[0-9a-f]{40}(?:\.(?:gz|lz4|zst|bz2))?)?")


@dataclass(frozen=True, order=True)
class Segment:
    timeline: int
    number: int
    """Of all segments of a timeline, from the beginning of its cluster."""

    @classmethod
    def named(cls, name: str) -> Segment | None:
        """Return the segment of a file's name, or None: partial segments, history and backup files are none."""
        match = _SEGMENT.fullmatch(name)
        if match is None:
            return None
        timeline, log, segment = (int(part, 16) for part in match.groups())
        return cls(timeline, log * SEGMENTS + segment)

    def __str__(self) -> str:
        log, segment = divmod(self.number, SEGMENTS)
        return f"{self.timeline:08X}{log:08X}{segment:08X}"


@dataclass(frozen=True)
class Gap:
    """Segments that are missing, from the first to the last of them."""

    first: Segment
    last: Segment

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first} to {self.last}"


def segments(names: Iterable[str]) -> list[Segment]:
    """Return the segments among the files of an archive, in order."""
    return sorted({segment for name in names if (segment := Segment.named(name))})


def gaps(archived: Iterable[Segment], needed: Mapping[int, int]) -> list[Gap]:
    """Return what is missing on each timeline, from what is needed first to what was archived last.

    + needed: by timeline, the number of the segment from which on all of them are needed. A timeline that is not among
      them began after the oldest backup, with a restore: what there is of it has to be whole.
    """
    by_timeline: dict[int, set[int]] = {}
    for segment in archived:
        by_timeline.setdefault(segment.timeline, set()).add(segment.number)
    missing: list[Gap] = []
    for timeline in sorted({*by_timeline, *needed}):
        numbers = by_timeline.get(timeline, set())
        first = needed.get(timeline, min(numbers, default=0))
        missing += _gaps_on(timeline, sorted(number for number in numbers if number >= first), first)
    return missing


def _gaps_on(timeline: int, numbers: list[int], first: int) -> list[Gap]:
    missing: list[Gap] = []
    expected = first
    for number in [*numbers] or [first + 1]:
        if number > expected:
            missing.append(Gap(Segment(timeline, expected), Segment(timeline, number - 1)))
        expected = number + 1
    return missing
