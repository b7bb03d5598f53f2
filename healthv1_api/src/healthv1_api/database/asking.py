"""A connection for one request. A database that is silent is away: its pooler would let clients wait for minutes."""

from types import TracebackType
from typing import Any

from psycopg import AsyncConnection, OperationalError

from healthv1_api.database.pool import Pool
from healthv1_api.deadline import Within

PATIENCE = 5.0  # seconds for all statements of one use; as long again for a connection of the pool


class asking:  # noqa: N801 - read as `async with asking(pool)`
    """Raises OperationalError. A class, as this is on the way of each request; connections commit by themselves."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._within = Within(PATIENCE, OperationalError("no answer in time"))

    async def __aenter__(self) -> AsyncConnection[Any]:
        self._connection = await self._pool.getconn()
        self._within.__enter__()
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._within.__exit__(kind, error, trace)
        finally:
            await self._pool.putconn(self._connection)
