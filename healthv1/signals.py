"""Ctrl-C and SIGTERM mean the same: SIGTERM is how a CI job is cancelled.

An operation that runs on a host is waited for, unless the signal comes twice.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import gevent

SIGNALS = (signal.SIGINT, signal.SIGTERM)


_changes = False


def changes_begin() -> None:
    """Note that changes may begin now: on hosts, in a secrets backend, in a sandbox."""
    global _changes  # noqa: PLW0603 - one process, one command
    _changes = True


def may_have_changed() -> bool:
    return _changes


class NothingChanged(KeyboardInterrupt):
    """The command was interrupted before its first change."""


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Have SIGTERM raise `KeyboardInterrupt`, as Ctrl-C does."""
    with _signal_handlers((signal.SIGTERM,), _interrupt):
        yield


@contextmanager
def interrupts_deferred(say: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Yield a function: did a signal come? The first signal calls `say`; the second raises `KeyboardInterrupt`."""
    requested = False

    def request() -> None:
        nonlocal requested
        if requested:
            _interrupt()
        requested = True
        gevent.spawn(say)  # a signal may come while something is being printed

    with _signal_handlers(SIGNALS, request):
        yield lambda: requested


def _interrupt() -> None:
    raise KeyboardInterrupt


@contextmanager
def _signal_handlers(signals: tuple[signal.Signals, ...], react: Callable[[], None]) -> Iterator[None]:
    def handler(_number: int, _frame: FrameType | None) -> None:
        react()

    # What the shell or nohup told this process to ignore stays ignored.
    previous = {
        number: previous_handler
        for number in signals
        if (previous_handler := signal.getsignal(number)) is not signal.SIG_IGN
    }
    for number in previous:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, previous_handler in previous.items():
            signal.signal(number, previous_handler)
