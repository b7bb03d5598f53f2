"""Who hears of a run while it goes on: the person who waits for it, and the notes of whoever goes on after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Observer(Protocol):
    """Hears of every stage, operation and gate as it begins and ends."""

    def stage_begun(self, stage: str, operations: Mapping[str, int]) -> None:
        """`operations` is how many each host has, of those that have something to change in this stage."""

    def started(self, host: str, stage: str, component: str, sentence: str) -> None: ...

    def ended(self, host: str, stage: str, component: str, sentence: str, *, changed: bool) -> None: ...

    def trying(self, stage: str, claims: Mapping[str, int]) -> None:
        """`claims` is how many are tried on each host."""

    def stage_ended(self, stage: str) -> None: ...


class Ledger(Protocol):
    """Notes what is under way, for whoever goes on if this stops."""

    def note_begun(self, stage: str, hosts: Sequence[str]) -> None: ...

    def note_proven(self, stage: str, hosts: Sequence[str]) -> None: ...


@dataclass(frozen=True)
class NoLedger:
    """The ledger of a run that nobody goes on with."""

    def note_begun(self, stage: str, hosts: Sequence[str]) -> None: ...

    def note_proven(self, stage: str, hosts: Sequence[str]) -> None: ...
