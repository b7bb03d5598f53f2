"""A former member of an environment, or its former parts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Left:
    """A host that left the inventory, or parts that a host left. No apply touches it."""

    host: str
    address: str
    parts: tuple[str, ...]
    """What it still has."""
    what: str
    """One sentence."""
    way_out: str
    """The command that takes it down."""
