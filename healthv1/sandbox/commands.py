"""Runs programs on this machine. The error of a failed program has its last output."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

from healthv1.errors import Fault, SandboxError

# The kernel ends these with the process that started them, and everything they started and mounted with them:
# an interrupted build leaves no process and no mount behind.
BOUND = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


def run(*argv: str | Path, stdin: str = "") -> str:
    """Return what it printed."""
    words = [str(word) for word in argv]
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SandboxError(Fault(" ".join(words[:4]), _last_words(done.stderr or done.stdout)))
    return done.stdout


def succeeds(*argv: str | Path) -> bool:
    """Whether it ended well; what is not installed does not."""
    words = [str(word) for word in argv]
    with suppress(FileNotFoundError):
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    return False


def _last_words(output: str) -> str:
    return "\n".join(output.strip().splitlines()[-8:]) or "it failed and said nothing."
