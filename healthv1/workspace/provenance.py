"""The provenance of a run, for locks and journals: user, machine, CI job and revision of the project."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

from healthv1.workspace import project


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
    return revision_of(project.root())


def revision_of(folder: Path) -> str:
    """Return the commit that is checked out, with "+dirty" when anything in `folder` differs; empty outside git."""
    argv = ["git", "-C", str(folder), "status", "--porcelain=v2", "--branch", "--", "."]
    reading = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(argv, env=reading, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError:  # no git here
        return ""
    lines = done.stdout.splitlines()
    commit = next((line.split()[2] for line in lines if line.startswith("# branch.oid ")), "")
    differs = any(not line.startswith("#") for line in lines)
    return f"{commit}{'+dirty' * differs}" if commit not in ("", "(initial)") else ""


def job() -> str:
    """Return the address of the CI job that this runs in; empty elsewhere."""
    variable = os.environ.get
    if variable("CI_JOB_URL"):  # https://docs.gitlab.com/ci/variables/predefined_variables/
        return str(variable("CI_JOB_URL"))
    if variable("GITHUB_RUN_ID"):  # https://docs.github.com/en/actions/reference/workflows-and-actions/variables
        return (
            f"{variable('GITHUB_SERVER_URL')}/{variable('GITHUB_REPOSITORY')}/actions/runs/{variable('GITHUB_RUN_ID')}"
        )
    return "CI" if variable("CI") else ""


def toolkit() -> str:
    return version("healthv1")
