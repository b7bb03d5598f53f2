"""Marks record what is ours on a host. An existing thing without a mark is foreign.

The script that finds a place vacant writes the mark first and the thing second: after a killed apply the next one
recognizes the half-made thing. Files that we write as a whole carry `MANAGED` in their first two lines instead.
"""

from __future__ import annotations

import shlex

from deploys.paths import MARKS

MANAGED = "Managed by healthv1"


def mark(name: str, value: str) -> str:
    """Return shell that writes a mark to the disk, or fails."""
    file = shlex.quote(f"{MARKS}/{name}")
    return (
        f"(umask 077; mkdir -p {MARKS}; printf '%s\\n' {shlex.quote(value)} > {file}.new"
        f" && mv -fT {file}.new {file} && sync -f {MARKS})"
    )


def has_mark(name: str, value: str) -> str:
    """Return a test that succeeds if the mark has this value."""
    return f'test "$(cat {shlex.quote(f"{MARKS}/{name}")} 2>/dev/null)" = {shlex.quote(value)}'


def note_written(path: str) -> str:
    """Return shell that records `path` (a shell word) as ours, for files without the `MANAGED` line."""
    is_noted = f"grep -qxF -- {path} {MARKS}/files 2>/dev/null"
    return f"(umask 077; mkdir -p {MARKS}; {is_noted} || printf '%s\\n' {path} >> {MARKS}/files)"
