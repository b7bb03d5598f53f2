"""Marks: what stands on a host is ours where a mark says so, vacant where nothing is, and else foreign.

A mark is written before the thing, by the script that found its place vacant: a killed first apply knows its own
half-made thing again. Files that we write whole are marked by `MANAGED` in their first two lines.
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
    """Return a test that succeeds where that mark stands."""
    return f'test "$(cat {shlex.quote(f"{MARKS}/{name}")} 2>/dev/null)" = {shlex.quote(value)}'


def note_written(path: str) -> str:
    """Return shell that notes that what will lie at `path`, a word of the shell, is ours: its text may not say so."""
    is_noted = f"grep -qxF -- {path} {MARKS}/files 2>/dev/null"
    return f"(umask 077; mkdir -p {MARKS}; {is_noted} || printf '%s\\n' {path} >> {MARKS}/files)"
