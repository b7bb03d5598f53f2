"""A connection for one request. A database that is silent is away: its pooler would let clients wait for minutes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection, OperationalError

from healthv1_api.database.pool import Pool
from healthv1_api.deadline import within

PATIENCE = 5.0  # seconds for all statements of one use; as long again for a connection of the pool


@asynccontextmanager
async def connection(pool: Pool) -> AsyncIterator[AsyncConnection[Any]]:
    """Raises OperationalError."""
    async with pool.connection() as opened, within(PATIENCE, OperationalError("no answer in time")):
        yield opened
