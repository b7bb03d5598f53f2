"""What the user of `healthv1 restore ENV --onto-new-host` asked for, and the command to ask for it again."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class OntoWish:
    """What the user asked for."""

    to: str = "latest"
    backup: str = ""
    repository: int = 0
    folder: str = ""
    powered_off: str = ""
    """The name of the lost host, typed."""
    escrow: Path | None = None
    identity: Path | None = None
    unproven: bool = False

    def command(self, environment: str, *, folder: str = "", powered_off: str = "") -> str:
        """Return the command, without these two where they are not given."""
        options = {
            "--to": self.to if self.to != "latest" else "",
            "--backup": self.backup,
            "--repository": str(self.repository or ""),
            "--from": folder,
            "--escrow": str(self.escrow or ""),
            "--identity": str(self.identity or ""),
            "--i-have-powered-off": powered_off,
        }
        words = ["healthv1", "restore", environment, "--onto-new-host"]
        words += [word for name, value in options.items() if value for word in (name, value)]
        return shlex.join([*words, *(["--unproven"] if self.unproven else [])])
