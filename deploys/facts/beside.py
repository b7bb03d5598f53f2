"""What stands in the way of a service of ours."""

from __future__ import annotations

from pyinfra.api.facts import FactBase


class ServiceConflicts(FactBase[list[str]]):
    """What a survey of deploys/beside.py prints, a line for each thing; empty where nothing is in the way."""

    default = list

    def command(self, survey: str) -> str:
        return f"({survey}\n) 2>/dev/null || true"

    def process(self, output: list[str]) -> list[str]:
        return output
