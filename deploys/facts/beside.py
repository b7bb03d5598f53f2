"""Conflicts with a service of ours."""

from __future__ import annotations

from pyinfra.api.facts import FactBase


class ServiceConflicts(FactBase[list[str]]):
    """The output of a survey from deploys/beside.py, one line per conflict."""

    default = list

    def command(self, survey: str) -> str:
        return f"({survey}\n) 2>/dev/null || true"

    def process(self, output: list[str]) -> list[str]:
        return output
