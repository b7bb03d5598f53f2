"""File locks (flock): one process at a time holds each. The kernel releases a lock when its holder dies."""

from __future__ import annotations

import fcntl
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PAUSE = 0.05  # seconds between two tries


def _quiet() -> None:
    """Say nothing."""


@contextmanager
def locked(descriptor: int, patience: float = math.inf, wait: Callable[[], None] = _quiet) -> Iterator[None]:
    """Hold the lock on an open file or folder. Other greenlets go on while this one waits: one of them may hold it.

    + patience: seconds to wait for another process.
    + wait: called once, when another process holds the lock.

    Raises `TimeoutError`.
    """
    given_up = time.monotonic() + patience
    waited = False
    while not _try_lock(descriptor):
        if not waited:
            wait()
        waited = True
        if time.monotonic() > given_up:
            raise TimeoutError(None, "another process has been writing for too long")
        time.sleep(PAUSE)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
