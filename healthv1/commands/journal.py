"""`healthv1 journal …`: who did what, when, and whether a line of it was tampered with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from healthv1.errors import Fault
from healthv1.journal import reading, verifying
from healthv1.journal.reading import Run
from healthv1.journal.verifying import BrokenLine

LINES = 4  # read per requested run: each run has two, and lines of other runs may stand between


@dataclass(frozen=True)
class ShownRuns:
    environment: str
    runs: list[tuple[Run, str]]
    """Each with its state, the last one at the end."""
    faults: list[Fault]
    locks: set[str]

    def as_json(self) -> dict[str, Any]:
        runs = [run.as_json(self.locks) for run, _ in self.runs]
        return {
            "schema": reading.SCHEMA,
            "environment": self.environment,
            "runs": runs,
            "faults": _as_dicts(self.faults),
        }


@dataclass(frozen=True)
class Verified:
    environment: str
    lines: dict[str, int]
    """How many each journal has."""
    broken: list[BrokenLine]
    faults: list[Fault]

    def as_json(self) -> dict[str, Any]:
        broken = [asdict(line) for line in self.broken]
        document = {
            "environment": self.environment,
            "lines": self.lines,
            "broken": broken,
            "faults": _as_dicts(self.faults),
        }
        return {"schema": reading.SCHEMA, **document}


def show(environment: str, last: int, host: str) -> ShownRuns:
    """Return the last runs. `host`: what this host's journal tells, and no other's."""
    journals = reading.read_journals(environment, last * LINES, host)
    runs = [(run, run.state(journals.locks)) for run in reading.runs(journals)[-last:]]
    return ShownRuns(environment, runs, list(journals.faults), set(journals.locks))


def verify(environment: str) -> Verified:
    """Look whether a line was edited, deleted, moved or cut off."""
    journals = reading.read_journals(environment)
    lines = {where: len(lines) for where, lines in journals.lines.items()}
    return Verified(environment, lines, verifying.broken_lines(journals), list(journals.faults))


def _as_dicts(faults: list[Fault]) -> list[dict[str, Any]]:
    return [asdict(fault) for fault in faults]
