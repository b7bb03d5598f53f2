"""Marks: what stands on a host is ours where a mark says so, vacant where nothing is, and else foreign.

A mark is written before the thing, by the script that found its place vacant: a killed first apply knows its own
half-made thing again. Files that we write whole are marked by `MANAGED` in their first two lines.
"""

from __future__ import annotations

import shlex

OURS = "/var/lib/healthv1/ours"
"""One file per mark. Its text is the name of the thing, such as "health" of the cluster 17/health."""
MANAGED = "Managed by healthv1"


def mark(name: str, value: str) -> str:
    """Return shell that writes a mark to the disk, or fails."""
    file = shlex.quote(f"{OURS}/{name}")
    return (
        f"(umask 077; mkdir -p {OURS}; printf '%s\\n' {shlex.quote(value)} > {file}.new"
        f" && mv -fT {file}.new {file} && sync -f {OURS})"
    )


def marked(name: str, value: str) -> str:
    """Return a test that succeeds where that mark stands."""
    return f'test "$(cat {shlex.quote(f"{OURS}/{name}")} 2>/dev/null)" = {shlex.quote(value)}'


def note_written(path: str) -> str:
    """Return shell that notes that what will lie at `path`, a word of the shell, is ours: its text may not say so."""
    there = f"grep -qxF -- {path} {OURS}/files 2>/dev/null"
    return f"(umask 077; mkdir -p {OURS}; {there} || printf '%s\\n' {path} >> {OURS}/files)"
