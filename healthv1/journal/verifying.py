"""Whether a chain was broken, and whether the ends of one are what another remembers of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from healthv1.journal.chain import Break, Head, find_breaks, missing_head
from healthv1.journal.reading import OPERATOR, Journals


@dataclass(frozen=True)
class BrokenLine:
    journal: str
    line: int
    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.journal}: line {self.line} was {self.what}: {self.why}"


def broken_lines(found: Journals) -> list[BrokenLine]:
    """Return every break, of each journal by itself and of each as the others remember it."""
    alone = {where: find_breaks(lines) for where, lines in found.lines.items()}
    compared = _mirror_breaks(found)
    first = {where: breaks[0] for where, breaks in compared.items() if breaks and where in found.lines}
    return [
        BrokenLine(where, one.line, one.what, one.why)
        for where in found.lines
        for one in [*alone[where], *([first[where]] if where in first and not alone[where] else [])]
    ]


def _mirror_breaks(found: Journals) -> dict[str, list[Break]]:
    mine = found.lines.get(OPERATOR, [])
    breaks: dict[str, list[Break]] = {}
    for entry in map(_read, mine):
        for host, head in entry.get("heads", {}).items():
            _note(breaks, host, missing_head(found.lines[host], _head(head)) if host in found.lines else None)
    name = next(filter(None, (_read(line).get("copy") for line in reversed(mine))), "")
    for host, lines in found.lines.items():
        for entry in map(_read, lines):
            if host != OPERATOR and name and entry.get("copy") == name and "mirrors" in entry:
                _note(breaks, OPERATOR, missing_head(mine, _head(entry["mirrors"])))
    _note(breaks, OPERATOR, _missing_end(found, mine, name))
    return breaks


def _missing_end(found: Journals, mine: list[str], name: str) -> Break | None:
    """The hosts are written to first when a run ends, so nothing on them mirrors the copy's last line."""
    ended = {entry["run"] for entry in map(_read, mine) if entry.get("event") == "ended"}
    for host, lines in found.lines.items():
        for entry in map(_read, lines) if host != OPERATOR else ():
            run = entry.get("run")
            if name and entry.get("copy") == name and entry.get("event") == "ended" and run not in ended:
                return Break(len(mine), "cut", f"{host} knows that run {run} ended")
    return None


def _note(breaks: dict[str, list[Break]], where: str, one: Break | None) -> None:
    if one:
        breaks.setdefault(where, []).append(one)


def _head(told: dict[str, Any]) -> Head:
    return Head(int(told["line"]), str(told["digest"]))


def _read(line: str) -> dict[str, Any]:
    """What cannot be read is named by the chain."""
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}
