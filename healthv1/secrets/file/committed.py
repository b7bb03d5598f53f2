"""The hint for a deleted secrets file: how to restore it from the git repository."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from healthv1.workspace import project


def restore_hint(path: Path, environment: str) -> str:
    """Return the command that restores the file, for the current folder."""
    commit = _commit(path)
    if commit is not None:
        where = Path.cwd()
        inside = where.is_relative_to(project.root())
        folder = "" if inside else f" -C {shlex.quote(str(project.root()))}"
        shown = os.path.relpath(path, where if inside else project.root())
        return f"restore it from your repository: git{folder} checkout {commit}-- {shlex.quote(shown)}"
    return (
        "restore it from a copy, or correct its path in group_data; "
        f"what is in escrow: healthv1 secrets restore {environment} FILE --identity KEY"
    )


def _commit(path: Path) -> str | None:
    """Return the commit that has it, and a blank; "" for what git would bring back anyway, None where it has it not."""
    if _git("ls-files", "--error-unmatch", "--", str(path)):
        return ""
    last = _git("rev-list", "--max-count=1", "HEAD", "--", str(path))
    if not last:
        return None
    relative = os.path.relpath(path, project.root())
    # The last commit that touched it either has it, or deleted it.
    return f"{last[:12]} " if _git("cat-file", "-t", f"{last}:./{relative}") else f"{last[:12]}^ "


def _git(*arguments: str) -> str:
    """Return what git says; nothing when it fails, or is not there."""
    argv = ["git", "-C", str(project.root()), *arguments]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
