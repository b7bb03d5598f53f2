"""What a login shell is told so that each of them understands it, and what came after all that it says by itself.

sshd hands every command to the login shell of who signed in: bash reads `.bashrc` ahead of it, which may print; csh
takes no line break and no `!` even in single quotes, and fish reads backslashes there. So a shell is told one plain
line of its own, and the command comes on stdin.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

CUT_SHORT = 250
"""The exit code where not all of the command arrived: something ahead of it read from stdin."""
# Nothing is run that is not whole: of a path that is to be removed half would be another one.
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
    """What the login shell said by itself."""
    started: bool = False
    """`sh` was there: what is said from now on is the command's."""

    @property
    def line(self) -> str:
        """Return what the login shell is told."""
        words = {"mark": self.mark, "length": len(self.stdin_prefix), "otherwise": CUT_SHORT}
        return f"sh -c '{_RECEIVE % words}'"

    @property
    def stdin_prefix(self) -> bytes:
        """Return what goes ahead of the command's own stdin."""
        return f"#{self.mark}\n{self.command}\n#{self.mark}".encode()

    def command_output(self, lines: Iterable[bytes]) -> Iterator[str]:
        """Yield what the command said, of one of its two streams."""
        past_mark = False
        for line in lines:
            text = line.decode(errors="replace")
            if past_mark:
                yield text
            elif text.rstrip("\n").endswith(self.mark):  # noise may end without a line break
                past_mark = self.started = True
            else:
                self.noise.append(text.rstrip("\n"))
