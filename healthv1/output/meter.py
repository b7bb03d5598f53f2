"""How much of a transfer has come: a line on a terminal that is redrawn. Elsewhere only its silence is reported."""

from __future__ import annotations

import time
from types import TracebackType

import click
import gevent
from typing_extensions import Self

from healthv1.output.terminal import is_redrawn

TICK = 1.0
QUIET = 5
"""Seconds after which a terminal shows the silence."""
LONG_QUIET = 60
"""Seconds after which, and after each as many again, a log has a line on it."""


class Meter:
    def __init__(self, what: str) -> None:
        self._what, self._size = what, 0
        self._terminal = is_redrawn()
        self._began = self._heard = time.monotonic()
        self._reported = 0
        self._clock: gevent.Greenlet | None = None

    def __enter__(self) -> Self:
        self._clock = gevent.spawn(self._tick)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._clock:
            self._clock.kill()
        if self._terminal:
            click.echo("\r\x1b[K", err=True, nl=False)

    def arrived(self, size: int) -> None:
        """Note the number of bytes so far."""
        self._size, self._heard, self._reported = size, time.monotonic(), 0

    def _tick(self) -> None:
        while True:
            gevent.sleep(TICK)
            now = time.monotonic()
            self._show(now - self._began, now - self._heard)

    def _show(self, seconds: float, quiet: float) -> None:
        line = f"{self._what}: {amount(self._size)}, {seconds:.0f} s"
        silence = f", nothing new for {quiet:.0f} s" if quiet >= QUIET else ""
        if self._terminal:
            click.echo(f"\r\x1b[K{line}{silence}", err=True, nl=False)
        elif int(quiet / LONG_QUIET) > self._reported:
            self._reported += 1
            click.echo(f"{line}{silence}", err=True)


def amount(size: float) -> str:
    """Return a number of bytes as people read it: 12.3 MB."""
    if size < 1000:
        return f"{size:.0f} bytes"
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 1000:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} TB"
