"""A plan: every change, on every host, before any of them is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any

from deploys.operations.change import Change
from healthv1.errors import Fault

SCHEMA = 1


@dataclass(frozen=True)
class Step:
    """One operation on one host, and what it changes there."""

    host: str
    stage: str
    component: str
    operation: str
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Plan:
    environment: str
    hosts: tuple[str, ...]
    considered: int
    """How many operations were looked at, on all hosts."""
    steps: tuple[Step, ...]
    """Those that change something, in the order in which they run."""
    faults: tuple[Fault, ...] = field(default=())

    @property
    def changes(self) -> int:
        return sum(len(step.changes) for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "environment": self.environment,
            "hosts": list(self.hosts),
            "considered": self.considered,
            "changes": self.changes,
            "steps": [asdict(step) for step in self.steps],
            "faults": [asdict(fault) for fault in self.faults],
        }


MARKS = {"create": "+", "install": "+", "generate": "+", "remove": "-", "stop": "-", "disable": "-"}


def lines(steps: Iterable[Step], diffs: bool = True) -> Iterator[str]:
    """Yield what people read: host, stage, component, then one line per change with its diff below."""
    for (host, stage), ofstage in groupby(steps, key=lambda step: (step.host, step.stage)):
        yield f"{host} · {stage}"
        for component, ofcomponent in groupby(ofstage, key=lambda step: step.component):
            yield f"  {component}"
            for step in ofcomponent:
                yield from _of_step(step, diffs)


def _of_step(step: Step, diffs: bool) -> Iterator[str]:
    for change in step.changes:
        why = f"  ({change.why})" if change.why else ""
        yield f"    {MARKS.get(change.action, '~')} {change.action} {change.kind} {change.target}{why}"
        if diffs and change.diff and change.action != "create":
            yield from (f"        {line}" for line in change.diff.splitlines()[2:])


def total(plan: Plan) -> str:
    if not plan.hosts:
        return "No host could be planned."
    hosts = counted(len(plan.hosts), "host")
    if not plan.steps:
        return f"Nothing to do: {counted(plan.considered, 'operation')} on {hosts}, all as they should be."
    return f"{counted(plan.changes, 'change')} by {len(plan.steps)} of {plan.considered} operations on {hosts}."


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
