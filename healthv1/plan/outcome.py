"""The outcome of an apply, with the progress of each host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from healthv1.errors import Fault
from healthv1.plan import Step


@dataclass(frozen=True)
class HostStanding:
    """The progress of one host."""

    host: str
    state: Literal["done", "stopped", "not begun"]
    stage: str = ""
    """The one that it stopped in, or that it has not begun."""
    ran: int = 0
    """Operations of that stage that were run."""
    of: int = 0
    done: tuple[str, ...] = ()
    """The stages that had something to change there, and are made and proven."""

    def __str__(self) -> str:
        if self.state == "done":
            return f"{self.host}: done"
        if self.state == "not begun":
            before = f"done up to stage {self.done[-1]}, " if self.done else ""
            return f"{self.host}: {before}stage {self.stage} not begun"
        if self.ran < self.of:
            return f"{self.host}: stopped in stage {self.stage} after {self.ran} of {self.of} operations"
        return f"{self.host}: stopped at the end of stage {self.stage}, whose claims are not proven"


@dataclass(frozen=True)
class Outcome:
    steps: tuple[Step, ...]
    """The changes made, as steps of the plan."""
    faults: tuple[Fault, ...]
    unfinished: tuple[str, ...]
    """Operations that did not run to their end, as "host: component, sentence"."""
    standings: tuple[HostStanding, ...] = ()
    interrupted: bool = False
    """Somebody stopped it."""

    @property
    def ended_well(self) -> bool:
        return not (self.faults or self.interrupted)
