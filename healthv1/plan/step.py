"""A step of a plan."""

from __future__ import annotations

from dataclasses import dataclass

from deploys.operations.change import Change


@dataclass(frozen=True)
class Step:
    """One operation on one host, and what it changes there."""

    host: str
    stage: str
    component: str
    operation: str
    """What it does, as a sentence."""
    changes: tuple[Change, ...]
