"""What is going to change on one host: its operations say so while they are planned, and keep to it while they run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

from pyinfra.api.host import Host
from pyinfra.context import ctx_host

from deploys.operations.change import Change

Finding = TypeVar("Finding")
_PLACE = "healthv1_forecast"


class Phase(Enum):
    ASKING = "asking"
    """Operations are evaluated for the facts that they ask for. What they say is not kept."""
    PLANNING = "planning"
    """What operations say of their changes is kept: later operations, and their execution, go by it."""
    EXECUTING = "executing"
    """What is kept is carried out. Nothing is added to it."""


@dataclass
class Forecast:
    """What is going to change on one host, in one session.

    An operation's generator runs several times before its first command (to ask, to plan, to look again, to carry
    out), so it does nothing but ask until then.
    """

    phase: Phase = Phase.PLANNING
    targets: set[str] = field(default_factory=set)
    """What the plan changes, by name: paths, packages, units, …"""
    created: set[tuple[str, str]] = field(default_factory=set)
    """Kind and target of what the plan found missing, and creates."""
    findings: dict[str, Any] = field(default_factory=dict)
    """What the plan found, and its execution goes by although the host may have moved on."""
    reserved: dict[str, str] = field(default_factory=dict)
    """By target: which operation brings it, of several that need it."""
    collected: list[Change] | None = field(default=None, repr=False)
    """The changes of the operation that is evaluated now, if somebody collects them."""

    def announce(self, change: Change, *, pending: bool = True) -> None:
        """Say what this operation is about to change. Called before the first command of an operation.

        + pending: a service may have to take the change up: a file's content, but not its mode.
        """
        if pending:
            self.expect(change.target)
        if self.phase is Phase.PLANNING and change.action == "create":
            self.created.add((change.kind, change.target))
        if self.collected is not None:
            self.collected.append(change)

    def expect(self, target: str) -> None:
        """Let later operations of this plan know that `target` is going to change."""
        if self.phase is Phase.PLANNING:
            self.targets.add(target)

    def planned(self, *targets: str) -> list[str]:
        """Return which of `targets` the plan changes, also while it is carried out."""
        return [target for target in targets if target in self.targets]

    def pending(self, *targets: str) -> list[str]:
        """Return which of `targets` an earlier operation of this plan is going to change.

        While executing the answer is empty: then the host itself knows.
        """
        return [] if self.phase is Phase.EXECUTING else self.planned(*targets)

    def creates(self, kind: str, target: str) -> bool:
        """Whether the plan found nothing there: what a package brought meanwhile is not what this run began with."""
        return (kind, target) in self.created

    def recall(self, name: str, find: Callable[[], Finding]) -> Finding:
        """Return what the plan found, also when the host has other news by now: fresh lists of packages."""
        if self.phase is Phase.EXECUTING and name in self.findings:
            return self.findings[name]  # type: ignore[no-any-return]
        finding = find()
        if self.phase is Phase.PLANNING:
            self.findings[name] = finding
        return finding

    def reconcile(self, operation: str, changes: Iterable[Change]) -> list[Change]:
        """Return what `operation` has to do: what the plan said, then what else is due by now.

        An earlier operation may have brought some of that about: an account that is made anew may get the number that
        its files have. The plan tells of the host before and after, so it counts as made, and is made sure of.
        """
        changes_due = list(changes)
        planned = self.recall(operation, lambda: changes_due)
        return planned + [
            change
            for change in changes_due
            if all(change.action != planned_change.action for planned_change in planned)
        ]

    def reserve(self, target: str, operation: str) -> bool:
        """Whether `operation` brings what is missing: the first of a plan to say so, and in its execution any."""
        return self.phase is not Phase.PLANNING or self.reserved.setdefault(target, operation) == operation

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Have operations evaluated for the facts that they ask for. While executing they ask as they then run."""
        phase_before = self.phase
        if phase_before is Phase.PLANNING:
            self.phase = Phase.ASKING
        try:
            yield
        finally:
            self.phase = phase_before

    @contextmanager
    def collecting(self) -> Iterator[list[Change]]:
        """Collect what the operation that is evaluated announces."""
        changes: list[Change] = []
        self.collected = changes
        try:
            yield changes
        finally:
            if self.collected is changes:  # a generator may be closed late
                self.collected = None


def forecast_of(host: Host) -> Forecast:
    """Return the host's forecast. It lies on pyinfra's host, so it lives as long as the session that made that.

    Whoever asks first begins it: under plain pyinfra nobody else would.
    """
    host_forecast: Forecast = vars(host).setdefault(_PLACE, Forecast())
    if host.state.is_executing:
        host_forecast.phase = Phase.EXECUTING
    return host_forecast


def forecast() -> Forecast:
    """Return the forecast of the host whose operation is evaluated."""
    return forecast_of(ctx_host.get())


def reset_forecast(host: Host) -> None:
    """Have what is asked from now on be answered by the host alone: what was planned for it has been made."""
    vars(host)[_PLACE] = Forecast()
