"""One connection for one command, with the errors of a command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection

from healthv1_api.database.direct import hint, told
from healthv1_api.errors import DatabaseError
from healthv1_api.settings.kinds import DatabaseUrl


@asynccontextmanager
async def connection(url: DatabaseUrl, variable: str) -> AsyncIterator[AsyncConnection[Any]]:
    """Raises DatabaseError."""
    try:
        async with await AsyncConnection.connect(
            url.get_secret_value(), autocommit=True, prepare_threshold=None, connect_timeout=5
        ) as opened:
            yield opened
    except psycopg.Error as error:
        raise DatabaseError(f"{variable}: {told(error)}.", hint=hint(error)) from None
