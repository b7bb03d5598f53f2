"""The toolkit as it was at an earlier revision: taken from this checkout's history, with its own lock file."""

import os
import subprocess
import sys

import pytest

from healthv1.sandbox.place import cache_root
from tests.hosts.world import REPOSITORY

REVISION = "df5e1d9"
"""The last one whose hosts bear no marks of ours."""


def checkout():
    """Return that revision's folder, its packages installed. Without the history: an error in CI, else said aloud."""
    folder = cache_root() / "earlier" / REVISION
    if (folder / ".venv/.done").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    archive = subprocess.run(["git", "-C", REPOSITORY, "archive", REVISION], capture_output=True, check=False)
    if archive.returncode:
        message = f"NO UPGRADE WAS TRIED: this checkout's history does not reach back to {REVISION}."
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    _make("install", folder)
    return folder


def apply(world):
    """Deploy with it."""
    folder = checkout()
    done = subprocess.run(
        [folder / ".venv/bin/python", "-m", "healthv1", "apply", "sandbox", "--yes"],
        cwd=folder,
        env={name: value for name, value in world.environment.items() if name != "PYTHONPATH"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _make(target, folder):
    # Not as a part of the make that runs these tests.
    environment = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL"}}
    argv = ["make", "--silent", "-C", folder, target, f"PYTHON={sys._base_executable}"]
    subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL)
