"""What is at a path: its kind, owner, mode and digest."""

from __future__ import annotations

import base64
import shlex
from dataclasses import dataclass

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase

_STATE = """[ -e "$path" ] || [ -L "$path" ] || exit 0
stat -c "%F|%a|%U|%G" -- "$path"
if [ -L "$path" ]; then readlink -- "$path"; elif [ -f "$path" ]; then sha256sum < "$path"; fi"""


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

    def command(self, path: str) -> str:
        return f"path={shlex.quote(path)}\n{_STATE}"

    def process(self, output: list[str]) -> Path | None:
        kind, mode, user, group = output[0].split("|")
        kind = "regular file" if kind == "regular empty file" else kind
        content = output[1] if len(output) > 1 else ""
        return Path(kind, mode.zfill(4), user, group, content.split()[0] if kind == "regular file" else content)


class FileText(FactBase[str]):
    """The text of a file that holds no secret; empty when it is missing. What is no UTF-8 in it is spelled out.

    It travels in base64: of output that is no text, the rest would be lost on the way.
    """

    default = str

    def command(self, path: str) -> StringCommand:
        return StringCommand("base64", "-w0", "--", QuoteString(path), "2>/dev/null", "||", "true")

    def process(self, output: list[str]) -> str:
        return base64.b64decode("".join(output)).decode("utf-8", "backslashreplace")
