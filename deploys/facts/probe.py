"""The success, or the output, of a shell command."""

from __future__ import annotations

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase


class Succeeds(FactBase[bool]):
    default = bool

    def command(self, test: str) -> StringCommand:
        return StringCommand("sh", "-c", QuoteString(test), ">/dev/null", "2>&1", "&&", "echo", "yes", "||", "true")

    def process(self, output: list[str]) -> bool:
        return output == ["yes"]


class Prints(FactBase[str]):
    """The first output line of a shell command; empty if there is none."""

    default = str

    def command(self, command: str) -> StringCommand:
        return StringCommand("sh", "-c", QuoteString(command), "2>/dev/null", "||", "true")

    def process(self, output: list[str]) -> str:
        return output[0].strip() if output else ""
