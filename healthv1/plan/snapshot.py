"""A snapshot: digests of one operation's arguments and of its host's answers, at one time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from healthv1.errors import Fault


@dataclass(frozen=True)
class Snapshot:
    host: str
    component: str
    operation: str
    target: str
    """Its target, as a plan names it: a path, a unit."""
    asked: dict[str, str]
    """Digests of its questions, each with the digest of the answer."""
    desired: str
    """A digest of its arguments, contents and secrets included."""

    @property
    def name(self) -> str:
        """The same in every run, and unlike that of any other operation on the host."""
        return f"{self.component} | {self.operation}"

    def answers_differ_from(self, before: dict[str, str]) -> bool:
        """Whether the host's answer to a question of `before` has changed.

        New questions do not count: they follow from such answers, and from earlier steps of the plan.
        """
        return any(before.get(question, answer) != answer for question, answer in self.asked.items())


def moved_faults(before: Iterable[Snapshot], after: Iterable[Snapshot]) -> list[Fault]:
    """Return a fault for each operation whose answers or arguments differ between two snapshots of the hosts."""
    then = {(snapshot.host, snapshot.name): snapshot for snapshot in before}
    now = {(snapshot.host, snapshot.name): snapshot for snapshot in after}
    faults = [fault for key, snapshot in now.items() if (fault := _moved_fault(then.get(key), snapshot))]
    gone = [snapshot for key, snapshot in then.items() if key not in now]
    return faults + [
        _fault(snapshot, f'"{snapshot.operation}" is no longer among what is done there.') for snapshot in gone
    ]


def _moved_fault(then: Snapshot | None, now: Snapshot) -> Fault | None:
    if then is None:
        return _fault(now, f'"{now.operation}" is new.')
    if now.desired != then.desired:
        return _fault(now, f'"{now.operation}" would bring about something else: a setting, template or secret moved.')
    if now.answers_differ_from(then.asked):
        return _fault(now, f"{now.target} is not as it was.")
    return None


def _fault(snapshot: Snapshot, what: str) -> Fault:
    return Fault(f"{snapshot.host}: {snapshot.component}", what, "look at a new plan")
