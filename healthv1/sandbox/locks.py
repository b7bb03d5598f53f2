"""While a lock is held, no other process is in the same part. The kernel lets go of it when its holder dies."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def quiet(_: str) -> None:
    """Say nothing: for callers who show no progress."""


@contextmanager
def held(path: Path, say: Callable[[str], None] = quiet) -> Iterator[None]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Wait for another process that holds {path}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
