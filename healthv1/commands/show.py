"""`healthv1 show`: a plan that was kept in a file. Nothing is asked of a host."""

from __future__ import annotations

from pathlib import Path

from healthv1.plan.data import Plan
from healthv1.plan.reading import read


def show(file: Path) -> Plan:
    """Raises `Refused` for what is no plan of ours."""
    return read(file)
