"""Where a plan comes from: when it was made, from which revision of the project, by which version of healthv1."""

from __future__ import annotations

import os
import subprocess
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import TypedDict


class Origin(TypedDict):
    made: str
    revision: str
    toolkit: str


def origin(project: Path) -> Origin:
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return {"made": now, "revision": revision(project), "toolkit": version("healthv1")}


def revision(project: Path) -> str:
    """Return the commit that is checked out, with "+dirty" when anything in the project differs; empty outside git."""
    command = ["git", "-C", str(project), "status", "--porcelain=v2", "--branch", "--", "."]
    quiet = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(command, env=quiet, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError:  # no git here
        return ""
    lines = done.stdout.splitlines()
    commit = next((line.split()[2] for line in lines if line.startswith("# branch.oid ")), "")
    differs = any(not line.startswith("#") for line in lines)
    return f"{commit}{'+dirty' * differs}" if commit not in ("", "(initial)") else ""
