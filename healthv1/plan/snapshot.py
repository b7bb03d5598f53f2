"""One operation on one host at one time: what it heard there, and what it is to bring about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from healthv1.errors import Fault


@dataclass(frozen=True)
class Look:
    host: str
    component: str
    operation: str
    target: str
    """What it is about, as a plan would name it: a path, a unit."""
    asked: dict[str, str]
    """Digests of its questions, each with the digest of the answer."""
    desired: str
    """A digest of all that it is given, contents and secrets included."""

    @property
    def name(self) -> str:
        """The same in every run, and unlike that of any other operation on the host."""
        return f"{self.component} | {self.operation}"

    def is_answered_otherwise(self, before: dict[str, str]) -> bool:
        """Whether the host says something else to a question that was asked before.

        What is asked besides follows from such answers, and from what is planned ahead of it.
        """
        return any(before.get(question, answer) != answer for question, answer in self.asked.items())


def moved(before: Iterable[Look], after: Iterable[Look]) -> list[Fault]:
    """Return a fault for each operation whose host, or whose settings, moved between two looks at the same hosts."""
    then = {(look.host, look.name): look for look in before}
    now = {(look.host, look.name): look for look in after}
    found = [fault for key, look in now.items() if (fault := _moved(then.get(key), look))]
    gone = [look for key, look in then.items() if key not in now]
    return found + [_fault(look, f'"{look.operation}" is no longer among what is done there.') for look in gone]


def _moved(then: Look | None, now: Look) -> Fault | None:
    if then is None:
        return _fault(now, f'"{now.operation}" is new.')
    if now.desired != then.desired:
        return _fault(now, f'"{now.operation}" would bring about something else: a setting, template or secret moved.')
    if now.is_answered_otherwise(then.asked):
        return _fault(now, f"{now.target} is not as it was.")
    return None


def _fault(look: Look, what: str) -> Fault:
    return Fault(f"{look.host}: {look.component}", what, "look at a new plan")
