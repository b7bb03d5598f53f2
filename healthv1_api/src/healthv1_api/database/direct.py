"""The owner's connection, straight to PostgreSQL, for what changes the schema or its fixed rows."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from healthv1_api.errors import DatabaseError
from healthv1_api.settings import MigrationSettings


@contextmanager
def owner_connection(settings: MigrationSettings) -> Iterator[Connection]:
    def connect() -> psycopg.Connection:
        url = settings.migration_database_url.get_secret_value()
        return psycopg.connect(url, connect_timeout=5, application_name="healthv1-api migrate")

    engine = create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool, hide_parameters=True)
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        raise DatabaseError(f"MIGRATION_DATABASE_URL: {told(error.orig)}.", hint=hint(error.orig)) from None


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
