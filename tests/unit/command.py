"""The command as a user types it."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def healthv1(*arguments, cwd=REPOSITORY):
    argv = [sys.executable, "-m", "healthv1", *arguments]
    return subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
