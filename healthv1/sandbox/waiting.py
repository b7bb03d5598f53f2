"""Waits for a condition. The error after the timeout says where to look."""

from __future__ import annotations

import time
from collections.abc import Callable

from healthv1.errors import Fault, SandboxError


def until(ready: Callable[[], bool], fault: Fault, *, seconds: float = 60, pause: float = 0.1) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise SandboxError(fault)
        time.sleep(pause)
