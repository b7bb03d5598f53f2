"""Sockets and processes that let others work while they wait: gevent's, but for two of its ways."""

# ruff: noqa: PLC0415 - what is imported first may keep what is replaced here
from __future__ import annotations

import os
from contextlib import suppress
from typing import Any


def begin() -> None:
    """Replace those of the standard library. Call this before anything that uses them is imported."""
    from gevent import events, monkey

    # It also looks through all that is installed for who listens. Nobody does, and that takes a fifth of a second.
    events.notify_and_call_entry_points = events.notify
    monkey.patch_all()
    from gevent.subprocess import Popen

    Popen.send_signal = _send_signal


def _send_signal(process: Any, number: int) -> None:
    """As the standard library does, and gevent does not, let a process be that has just ended by itself."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
