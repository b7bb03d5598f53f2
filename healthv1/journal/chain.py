"""A hash chain: each line carries the digest of the line before. An edit, a deletion or a move breaks it.

    {"line":2,"previous":"<sha256 of line 1>", … ,"hash":"<sha256 of all before this>"}

The chain alone does not show a cut end, or a whole new chain. Other journals keep its head for that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

BEGINNING = "0" * 64


@dataclass(frozen=True)
class Head:
    """The number and the digest of a line."""

    line: int
    digest: str


@dataclass(frozen=True)
class Break:
    line: int
    """Where in the file, counted from 1."""
    what: str
    """"edited", "deleted", "reordered", "cut" or "rewritten"."""
    why: str


@dataclass(frozen=True)
class ChainLine:
    text: str
    number: int
    previous: str
    intact: bool
    """Its hash matches its text."""

    @property
    def digest(self) -> str:
        return digest(self.text)


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def link(body: dict[str, Any], lines: Sequence[str]) -> str:
    """Return the line that follows `lines`."""
    number = (read(lines[-1]).number or len(lines)) + 1 if lines else 1
    text = f'{{"line":{number},"previous":"{digest(lines[-1]) if lines else BEGINNING}",{fields(body)}'
    return f'{text},"hash":"{digest(text)}"}}'


def fields(body: dict[str, Any]) -> str:
    """Return the entry as JSON without its opening and closing brace: ASCII, on one line."""
    return json.dumps(body, separators=(",", ":"))[1:-1]


def read(text: str) -> ChainLine:
    """Parse a line. A line that is no entry has number 0, and is not intact."""
    try:
        fields_of_line = json.loads(text)
        body, mark, _ = text.rpartition(',"hash":"')
        whole = bool(mark) and text == f'{body},"hash":"{digest(body)}"}}'
        return ChainLine(text, int(fields_of_line["line"]), str(fields_of_line["previous"]), whole)
    except (ValueError, KeyError, TypeError):
        return ChainLine(text, 0, "", intact=False)


def find_breaks(lines: Sequence[str]) -> list[Break]:
    """Return every place where the chain is broken, in the file's order."""
    return list(_breaks([read(line) for line in lines]))


def _breaks(lines: list[ChainLine]) -> Iterator[Break]:
    present = {line.number for line in lines if line.intact}
    expected, before = 1, ChainLine("", 0, "", intact=True)
    for place, line in enumerate(lines, 1):
        if not line.intact:
            yield Break(place, "edited", "it is not what its hash says")
        elif line.number != expected:
            yield _misplaced(place, line, range(expected, line.number), present)
            expected = line.number
        elif before.intact and line.previous != (before.digest if before.text else BEGINNING):
            yield Break(max(place - 1, 1), "edited", "its hash was made anew, but the next line knows another")
        expected, before = expected + 1, line


def _misplaced(place: int, line: ChainLine, missing: range, present: set[int]) -> Break:
    if missing and not present & set(missing):
        lines = f"line {missing[0]}" if len(missing) == 1 else f"lines {missing[0]} to {missing[-1]}"
        return Break(place, "deleted", f"before it there was {lines}")
    return Break(place, "reordered", f"it was line {line.number}")


def missing_head(lines: Sequence[str], head: Head) -> Break | None:
    """Return the break of a line that another journal keeps as head; None when the line is unchanged."""
    remembered = next((line for line in map(read, lines) if line.number == head.line), None)
    if remembered and remembered.digest == head.digest:
        return None
    if remembered is None and head.line > max((read(line).number for line in lines), default=0):
        return Break(len(lines), "cut", f"there was a line {head.line}")
    return Break(head.line, "rewritten", "another journal remembers another line")
