"""A host, as the lock sees it: something that runs a script as root, or tells why it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pyinfra.api.host import Host

from deploys.facts.lock import KEPT, Held
from healthv1.engine.aside import aside
from healthv1.lock.script import Verb, script

TIMEOUT = 20.0  # seconds


class Place(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def kept(self) -> str:
        """The folder of the record."""

    @property
    def needed(self) -> bool:
        """Whether the lock is worth nothing without this host: those that are going to be changed."""

    def run(self, text: str, timeout: float) -> str:
        """Raise `HostError` when it cannot be done."""


@dataclass(frozen=True)
class OnHost:
    host: Host
    needed: bool = True
    kept: str = KEPT

    @property
    def name(self) -> str:
        return str(self.host.name)

    def run(self, text: str, timeout: float) -> str:
        return aside(self.host, text, timeout)


@dataclass(frozen=True)
class Answer:
    verdict: str
    held: Held | None
    """The record as it was found."""


def ask(place: Place, verb: Verb, token: str = "", claim: str = "", timeout: float = TIMEOUT) -> Answer:
    """Raise `HostError` when the host cannot be asked."""
    lines = place.run(script(verb, place.kept, token, claim), timeout).splitlines()
    return Answer(lines[0].removeprefix("verdict="), Held.read(lines[1:]))
