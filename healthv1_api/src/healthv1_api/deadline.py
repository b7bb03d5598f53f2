"""A bound on how long a piece of a request may take."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def within(seconds: float, late: Exception) -> AsyncIterator[None]:
    """Raise `late` when the body has not ended by then. Not wait_for: before Python 3.12 each use is a task."""
    task, expired = asyncio.current_task(), False
    assert task is not None

    def expire() -> None:
        nonlocal expired
        expired = True
        task.cancel()

    timer = asyncio.get_running_loop().call_later(seconds, expire)
    try:
        yield
    except asyncio.CancelledError:
        if not expired:
            raise
        if hasattr(task, "uncancel"):  # Python 3.11
            task.uncancel()
        raise late from None
    finally:
        timer.cancel()
