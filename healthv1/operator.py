"""Who works here, on what, and with which revision of the project: what a lock and a journal tell of a run."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
from functools import cache
from importlib.metadata import version

from healthv1 import project


@cache
def name() -> str:
    """Return user@machine; behind sudo the user who called it."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


@cache
def revision() -> str:
    """Return the project's git revision, with "-dirty" when files differ from it; empty outside git."""
    argv = ["git", "-C", str(project.root()), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def job() -> str:
    """Return the address of the CI job that this runs in; empty elsewhere."""
    told = os.environ.get
    if told("CI_JOB_URL"):  # https://docs.gitlab.com/ci/variables/predefined_variables/
        return str(told("CI_JOB_URL"))
    if told("GITHUB_RUN_ID"):  # https://docs.github.com/en/actions/reference/workflows-and-actions/variables
        return f"{told('GITHUB_SERVER_URL')}/{told('GITHUB_REPOSITORY')}/actions/runs/{told('GITHUB_RUN_ID')}"
    return "CI" if told("CI") else ""


def toolkit() -> str:
    return version("healthv1")
