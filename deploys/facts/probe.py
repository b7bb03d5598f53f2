"""Whether a shell command succeeds."""

from __future__ import annotations

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase


class Succeeds(FactBase[bool]):
    default = bool

    def command(self, test: str) -> StringCommand:
        return StringCommand("sh", "-c", QuoteString(test), ">/dev/null", "2>&1", "&&", "echo", "yes", "||", "true")

    def process(self, output: list[str]) -> bool:
        return output == ["yes"]
