"""One connection for one command, with the errors of a command: the owner's, straight to PostgreSQL, or another's."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection
from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from healthv1_api.errors import DatabaseError
from healthv1_api.settings import MigrationSettings
from healthv1_api.settings.kinds import DatabaseUrl


@contextmanager
def owner_connection(settings: MigrationSettings) -> Iterator[Connection]:
    """For what changes the schema or its fixed rows. Raises DatabaseError."""

    def connect() -> psycopg.Connection:
        url = settings.migration_database_url.get_secret_value()
        return psycopg.connect(url, connect_timeout=5, application_name="healthv1-api migrate")

    engine = create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool, hide_parameters=True)
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        raise DatabaseError(f"MIGRATION_DATABASE_URL: {told(error.orig)}.", hint=hint(error.orig)) from None


@asynccontextmanager
async def connection_of(url: DatabaseUrl, variable: str) -> AsyncIterator[AsyncConnection[Any]]:
    """Raises DatabaseError."""
    try:
        async with await AsyncConnection.connect(
            url.get_secret_value(), autocommit=True, prepare_threshold=None, connect_timeout=5
        ) as opened:
            yield opened
    except psycopg.Error as error:
        raise DatabaseError(f"{variable}: {told(error)}.", hint=hint(error)) from None


def told(error: BaseException | None) -> str:
    if not isinstance(error, psycopg.Error):
        return "the database driver failed"
    # Class 22 messages quote the value that did not fit: it may be a patient's.
    if error.sqlstate is None or error.sqlstate.startswith("22"):
        return str(error).splitlines()[0] if error.sqlstate is None else f"SQLSTATE {error.sqlstate}"
    return error.diag.message_primary or f"SQLSTATE {error.sqlstate}"


def hint(error: BaseException | None) -> str:
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return "another session held a lock for too long; nothing was half done, run it again."
    if isinstance(error, psycopg.errors.UndefinedTable):
        return "run `healthv1-api migrate run` first."
    return "it must reach PostgreSQL itself, not the pooler, as the role that owns the database."
