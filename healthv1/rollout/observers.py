"""Observer and ledger of a run: the first shows its progress, the second keeps it for a run that resumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Observer(Protocol):
    """Is called when a stage, an operation or a gate begins and ends."""

    def stage_begun(self, stage: str, operations: Mapping[str, int]) -> None:
        """`operations` is how many each host has, of those that have something to change in this stage."""

    def started(self, host: str, stage: str, component: str, sentence: str) -> None: ...

    def ended(self, host: str, stage: str, component: str, sentence: str, *, changed: bool) -> None: ...

    def trying(self, stage: str, claims: Mapping[str, int]) -> None:
        """`claims` is how many are tried on each host."""

    def stage_ended(self, stage: str) -> None: ...


class Ledger(Protocol):
    """Keeps the stages that have begun and passed, for a run that resumes this one."""

    def note_begun(self, stage: str, hosts: Sequence[str]) -> None: ...

    def note_proven(self, stage: str, hosts: Sequence[str]) -> None: ...


@dataclass(frozen=True)
class NoLedger:
    """The ledger of a run that is not resumed: it keeps nothing."""

    def note_begun(self, stage: str, hosts: Sequence[str]) -> None: ...

    def note_proven(self, stage: str, hosts: Sequence[str]) -> None: ...
