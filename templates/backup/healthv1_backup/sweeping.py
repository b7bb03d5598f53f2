"""What a drill made is removed, whatever became of it: its processes first, then its files."""

from __future__ import annotations

import os
import pwd
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from healthv1_backup.instance import Instance

PATIENCE = 10.0
"""Seconds. A postmaster that is told to quit takes its processes along."""


def remove_copy(copy: Instance) -> None:
    """Remove a copy, and whatever still works in its folder."""
    if copy.is_there:
        end_processes(str(copy.folder))
        copy.remove()


def end_processes(folder: str) -> None:
    """End postgres's processes whose arguments name a folder, or anything in it. As a rule systemd did so before."""
    deadline = time.monotonic() + PATIENCE
    for process in _naming(folder):
        _send(process, signal.SIGQUIT)
    while left := list(_naming(folder)):
        if time.monotonic() > deadline:
            for process in left:
                _send(process, signal.SIGKILL)
        time.sleep(0.1)


def _naming(folder: str) -> Iterator[int]:
    postgres = pwd.getpwnam("postgres").pw_uid
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if not entry.name.isdigit() or entry.stat().st_uid != postgres:
                continue
            words = (entry / "cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
            if any(names(word, folder) for word in words):
                yield int(entry.name)


def names(word: str, folder: str) -> bool:
    path = word.rpartition("=")[2]
    return path == folder or path.startswith(f"{folder}/")


def _send(process: int, which: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, which)
