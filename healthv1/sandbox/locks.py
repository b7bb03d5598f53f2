"""Lock files of the sandboxes. The kernel releases a lock when its holder dies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from healthv1 import flocks


def quiet(_: str) -> None:
    """Say nothing: for callers who show no progress."""


@contextmanager
def locked(path: Path, say: Callable[[str], None] = quiet) -> Iterator[None]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    message = f"Wait for another process that holds {path}"
    with path.open("w", encoding="utf-8") as file, flocks.locked(file.fileno(), wait=lambda: say(message)):
        yield
