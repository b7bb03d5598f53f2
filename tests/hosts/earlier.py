"""The toolkit as it was at an earlier revision: taken from this checkout's history, with what its lock file asks."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from healthv1.sandbox.place import cache_root
from tests.hosts.world import REPOSITORY

REVISION = "df5e1d9"
"""The last one whose hosts bear no marks of ours."""


def checkout():
    """Return that revision's folder, and the interpreter with its packages: ours, unless they were others then.

    Without the history: an error in CI, else said aloud.
    """
    folder, lock = cache_root() / "earlier" / REVISION, "requirements.lock"
    if not folder.exists():
        _unpack(folder)
    if (folder / lock).read_bytes() == (REPOSITORY / lock).read_bytes():
        return folder, sys.executable
    if not (folder / ".venv/.done").exists():
        _make("install", folder)
    return folder, folder / ".venv/bin/python"


def _unpack(folder):
    """It is whole, or not there."""
    archive = subprocess.run(["git", "-C", REPOSITORY, "archive", REVISION], capture_output=True, check=False)
    if archive.returncode:
        message = f"NO UPGRADE WAS TRIED: this checkout's history does not reach back to {REVISION}."
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    unfinished = folder.with_name(f".{REVISION}")
    unfinished.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "-x", "-C", unfinished], input=archive.stdout, check=True)
    unfinished.replace(folder)


def apply(world):
    """Deploy with it."""
    folder, python = checkout()
    with _described_as_then(world.sandbox.description):
        done = subprocess.run(
            [python, "-m", "healthv1", "apply", "sandbox", "--yes"],
            cwd=folder,
            env={**world.environment, "PYTHONPATH": str(folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def _described_as_then(description):
    """The sandbox says more of itself today than the earlier version reads."""
    today = description.read_text()
    known = json.loads(today)
    del known["locked_s3"]
    for host in known["hosts"]:
        del host["role"]
    for name in ("address", "region", "ca_file"):
        del known["s3"][name]
    description.write_text(json.dumps(known))
    try:
        yield
    finally:
        description.write_text(today)


def _make(target, folder):
    # Not as a part of the make that runs these tests.
    environment = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL"}}
    argv = ["make", "--silent", "-C", folder, target, f"PYTHON={sys._base_executable}"]
    subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL)
