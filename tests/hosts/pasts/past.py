"""One thing that a host held before us, and how its owner sees that nothing of it was lost."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Past:
    component: str
    """Its folder in deploys/."""
    name: str
    script: str
    """Shell, run as root on a fresh host: what its owner did."""
    looks: str
    """Shell, run as root: prints what the owner has, rows, files and answers, the same before us and after."""
    refused: tuple[str, ...] = ()
    """What a plan with the settings of a fresh host refuses, by the names that `stack.adopt` knows."""
    settings: str = ""
    """Lines for the end of group_data/sandbox.py with which it is deployed beside, or `adopts` is taken over."""
    adopts: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    """Targets of changes that the plan with those settings names."""

    def __str__(self):
        return f"{self.component}: {self.name}"
