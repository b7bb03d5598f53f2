"""Finds broken lines: in each chain, and by the heads that the journals keep of each other."""

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


def broken_lines(journals: Journals) -> list[BrokenLine]:
    """Return the breaks within each journal, and those that the other journals' heads show."""
    own_breaks = {where: find_breaks(lines) for where, lines in journals.lines.items()}
    compared = _mirror_breaks(journals)
    first = {where: breaks[0] for where, breaks in compared.items() if breaks and where in journals.lines}
    return [
        BrokenLine(where, chain_break.line, chain_break.what, chain_break.why)
        for where in journals.lines
        for chain_break in [*own_breaks[where], *([first[where]] if where in first and not own_breaks[where] else [])]
    ]


def _mirror_breaks(journals: Journals) -> dict[str, list[Break]]:
    operator_lines = journals.lines.get(OPERATOR, [])
    breaks: dict[str, list[Break]] = {}
    for entry in map(_read, operator_lines):
        for host, head in entry.get("heads", {}).items():
            _note(breaks, host, missing_head(journals.lines[host], _head(head)) if host in journals.lines else None)
    name = next(filter(None, (_read(line).get("copy") for line in reversed(operator_lines))), "")
    for host, lines in journals.lines.items():
        for entry in map(_read, lines):
            if host != OPERATOR and name and entry.get("copy") == name and "mirrors" in entry:
                _note(breaks, OPERATOR, missing_head(operator_lines, _head(entry["mirrors"])))
    _note(breaks, OPERATOR, _missing_end(journals, operator_lines, name))
    return breaks


def _missing_end(journals: Journals, operator_lines: list[str], name: str) -> Break | None:
    """The hosts are written to first when a run ends, so nothing on them mirrors the copy's last line."""
    ended = {entry["run"] for entry in map(_read, operator_lines) if entry.get("event") == "ended"}
    for host, lines in journals.lines.items():
        for entry in map(_read, lines) if host != OPERATOR else ():
            run = entry.get("run")
            if name and entry.get("copy") == name and entry.get("event") == "ended" and run not in ended:
                return Break(len(operator_lines), "cut", f"{host} knows that run {run} ended")
    return None


def _note(breaks: dict[str, list[Break]], where: str, found_break: Break | None) -> None:
    if found_break:
        breaks.setdefault(where, []).append(found_break)


def _head(fields: dict[str, Any]) -> Head:
    return Head(int(fields["line"]), str(fields["digest"]))


def _read(line: str) -> dict[str, Any]:
    """Return the entry; empty for an unreadable line, which `find_breaks` reports."""
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}
