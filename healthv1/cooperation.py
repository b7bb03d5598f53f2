"""gevent's cooperative sockets and processes, with two corrections: other greenlets work while one waits."""

# ruff: noqa: PLC0415 - what is imported first may keep what is replaced here
from __future__ import annotations

import os
from contextlib import suppress
from typing import Any


def begin() -> None:
    """Monkey-patch the standard library. Call this before anything that uses sockets or processes is imported."""
    from gevent import events, monkey

    # gevent also searches all installed packages for plugins. There are none, and that takes a fifth of a second.
    events.notify_and_call_entry_points = events.notify
    monkey.patch_all()
    from gevent.subprocess import Popen

    Popen.send_signal = _send_signal


def _send_signal(process: Any, number: int) -> None:
    """Send no signal to a process that has just ended. The standard library does this, and gevent does not."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
