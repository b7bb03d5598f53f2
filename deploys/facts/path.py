"""What is at a path: its kind, owner, mode and digest."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase

_STATE = (
    'if [ -e "$1" ] || [ -L "$1" ]; then stat -c "%F|%a|%U|%G" -- "$1";'
    ' if [ -L "$1" ]; then readlink -- "$1"; elif [ -f "$1" ]; then sha256sum < "$1" | cut -c1-64; fi; fi'
)


@dataclass(frozen=True)
class Path:
    kind: str
    """As stat names it: regular file, directory, symbolic link …"""
    mode: str
    """Four octal digits."""
    user: str
    group: str
    content: str
    """The SHA-256 of a file, the target of a link, else empty."""


class PathState(FactBase[Path | None]):
    """A `Path`, or None when nothing is there."""

    def command(self, path: str) -> StringCommand:
        return StringCommand("sh", "-c", QuoteString(_STATE), "state", QuoteString(path))

    def process(self, output: list[str]) -> Path | None:
        kind, mode, user, group = output[0].split("|")
        kind = "regular file" if kind == "regular empty file" else kind
        return Path(kind, mode.zfill(4), user, group, output[1] if len(output) > 1 else "")


class FileText(FactBase[str]):
    """The text of a file that holds no secret; empty when it is missing."""

    default = str

    def command(self, path: str) -> StringCommand:
        return StringCommand("cat", "--", QuoteString(path), "2>/dev/null", "||", "true")

    def process(self, output: list[str]) -> str:
        return "".join(f"{line}\n" for line in output)
