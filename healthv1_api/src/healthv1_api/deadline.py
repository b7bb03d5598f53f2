"""A bound on how long a piece of a request may take."""

import asyncio
from types import TracebackType


class Within:
    """Raise `late` when the body has not ended after `seconds`. Not wait_for: before Python 3.12 each use is a task."""

    def __init__(self, seconds: float, late: Exception) -> None:
        self._seconds, self._late = seconds, late
        self._expired = False

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._expire)

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._timer.cancel()
        if self._expired and kind is asyncio.CancelledError:
            if self._task and hasattr(self._task, "uncancel"):  # Python 3.11
                self._task.uncancel()
            raise self._late from None

    def _expire(self) -> None:
        assert self._task is not None
        self._expired = True
        self._task.cancel()
