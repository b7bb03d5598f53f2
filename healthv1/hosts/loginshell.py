"""Runs a command through any login shell, and separates its output from the shell's own.

sshd hands every command to the login shell of who signed in: bash reads `.bashrc` ahead of it, which may print; csh
takes no line break and no `!` even in single quotes, and fish reads backslashes there. So a shell gets one plain
line, and the command comes on stdin.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

CUT_SHORT = 250
"""The exit code where not all of the command arrived: something ahead of it read from stdin."""
# Only a whole command is run: half of a path that is to be removed would be another path.
_RECEIVE = (
    "echo %(mark)s; echo %(mark)s >&2; _healthv1=$(head -c %(length)d); "
    'case $_healthv1 in "#%(mark)s"*"#%(mark)s") eval "$_healthv1";; *) exit %(otherwise)d;; esac'
)


@dataclass
class ShellCommand:
    command: str
    """For `sh`."""
    mark: str = field(default_factory=lambda: secrets.token_hex(8))
    noise: list[str] = field(default_factory=list)
    """Output of the login shell itself."""
    started: bool = False
    """`sh` has started: output from now on is the command's."""

    @property
    def line(self) -> str:
        """Return the line for the login shell."""
        words = {"mark": self.mark, "length": len(self.stdin_prefix), "otherwise": CUT_SHORT}
        return f"sh -c '{_RECEIVE % words}'"

    @property
    def stdin_prefix(self) -> bytes:
        """Return the command, which goes ahead of its own stdin."""
        return f"#{self.mark}\n{self.command}\n#{self.mark}".encode()

    def command_output(self, lines: Iterable[bytes]) -> Iterator[str]:
        """Yield the command's output in one of the two streams."""
        past_mark = False
        for line in lines:
            text = line.decode(errors="replace")
            if past_mark:
                yield text
            elif text.rstrip("\n").endswith(self.mark):  # noise may end without a line break
                past_mark = self.started = True
            else:
                self.noise.append(text.rstrip("\n"))
