"""The service's connections, through a pooler in transaction mode: no prepared statements, no session state.

One is for one request. A database that is silent is away: its pooler would let clients wait for minutes.
"""

import select
from types import TracebackType
from typing import Any

from psycopg import AsyncConnection, OperationalError
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from healthv1_api.deadline import Within
from healthv1_api.settings import ServiceSettings

Pool = AsyncConnectionPool[AsyncConnection[TupleRow]]
CONNECTION: dict[str, Any] = {
    "application_name": "healthv1-api",
    "autocommit": True,
    "connect_timeout": 3,
    "prepare_threshold": None,
}
PATIENCE = 5.0  # seconds for all statements of one use; as long again for a connection of the pool


async def _not_hung_up(connection: AsyncConnection[TupleRow]) -> None:
    """Nobody speaks to an idle connection: what can be read is the pooler's farewell. This costs no round trip."""
    if select.select([connection.fileno()], [], [], 0)[0]:
        await connection.close()
        raise OperationalError("the pooler has hung up")


def closed_pool(settings: ServiceSettings) -> Pool:
    """Opened by the application's lifespan, also while the database is away."""
    return AsyncConnectionPool(
        settings.database_url.get_secret_value(),
        kwargs=CONNECTION,
        min_size=settings.database_min_connections,
        max_size=settings.database_max_connections,
        check=_not_hung_up,
        # Longer waits between attempts would outlast the database's return by minutes.
        reconnect_timeout=5,
        timeout=5,
        name="database",
        open=False,
    )


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
