"""The file type, owner, mode and digest of a path."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase

from deploys.facts.each import BatchedCommand

DESCRIBE_PATHS = r"""seen() { form=$1; shift; stat --printf "%n\t$form\n" -- "$@" 2>/dev/null || true
for p; do shift; if [ -L "$p" ]; then printf "%s\t%s\n" "$p" "$(readlink -- "$p")"
elif [ -f "$p" ]; then set -- "$@" "$p"; fi; done
[ $# = 0 ] || sha256sum -z -- "$@" | tr "\0" "\n" | sed -E "s/^([0-9a-f]+)  (.*)/\2\t\1/"; }"""
"""A shell function that describes paths: each output line begins with the path and a tab. First stat's output for
existing paths, in the given format; then the SHA-256 of files and the targets of symlinks. Each program starts once for
all paths. -z keeps sha256sum from escaping names: systemd's contain backslashes."""


@dataclass(frozen=True)
class Path:
    kind: str
    """stat's file type: regular file, directory, symbolic link …"""
    mode: str
    """Four octal digits."""
    user: str
    group: str
    content: str
    """The SHA-256 of a file, the target of a symlink, else empty."""


class PathCommand(BatchedCommand):
    @classmethod
    def batch(cls, commands: Sequence[PathCommand]) -> str:
        return f"{DESCRIBE_PATHS}\nseen '%F|%a|%U|%G' {' '.join(shlex.quote(command.subject) for command in commands)}"


class PathState(FactBase[Path | None]):
    """A `Path`, or None if it does not exist."""

    def command(self, path: str) -> StringCommand:
        return PathCommand(path)

    def process(self, output: list[str]) -> Path | None:
        output = [value for _, _, value in (line.partition("\t") for line in output)]
        kind, mode, user, group = output[0].split("|")
        kind = "regular file" if kind == "regular empty file" else kind
        content = output[1] if len(output) > 1 else ""
        return Path(kind, mode.zfill(4), user, group, content)


class FileText(FactBase[str]):
    """The text of a file without secrets; empty if it is missing. Bytes that are not UTF-8 become backslash escapes.

    It is transferred in base64: pyinfra loses output after bytes that are not text.
    """

    default = str

    def command(self, path: str) -> StringCommand:
        return StringCommand("base64", "-w0", "--", QuoteString(path), "2>/dev/null", "||", "true")

    def process(self, output: list[str]) -> str:
        return base64.b64decode("".join(output)).decode("utf-8", "backslashreplace")
