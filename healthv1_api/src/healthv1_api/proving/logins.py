"""Logging in as a URL says, and by nothing but what it says."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from healthv1_api.database.pool import CONNECTION
from healthv1_api.proving.refusals import RefusedError
from healthv1_api.settings.kinds import connection_parts

# A silent one leaves time for another.
LOGIN = {**CONNECTION, "connect_timeout": 2}
NO_PASSWORD = "holds no password"  # noqa: S105 - a reason


@asynccontextmanager
async def database(url: SecretStr) -> AsyncIterator[AsyncConnection[Any]]:
    if not connection_parts(url).get("password"):
        raise RefusedError(NO_PASSWORD)
    async with await AsyncConnection.connect(url.get_secret_value(), **LOGIN) as connection:
        if not connection.pgconn.used_password:
            raise RefusedError("proves nothing: one is let in without a password")
        # A pooler has accepted the password; whether it comes on to the database is known now.
        await connection.execute("SELECT 1")
        yield connection


async def ping_redis(url: SecretStr) -> None:
    client = Redis.from_url(url.get_secret_value(), retry=Retry(NoBackoff(), 0))
    try:
        if not client.connection_pool.connection_kwargs.get("password"):
            raise RefusedError(NO_PASSWORD)
        await client.ping()
    finally:
        await client.aclose()
