"""The service's connections, through a pooler in transaction mode: no prepared statements, no session state."""

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from healthv1_api.settings import ServiceSettings

Pool = AsyncConnectionPool[AsyncConnection[TupleRow]]
CONNECTION = {
    "application_name": "healthv1-api",
    "autocommit": True,
    "connect_timeout": 3,
    "prepare_threshold": None,
}


def closed_pool(settings: ServiceSettings) -> Pool:
    """Opened by the application's lifespan, also while the database is away."""
    return AsyncConnectionPool(
        settings.database_url.get_secret_value(),
        kwargs=CONNECTION,
        min_size=settings.database_min_connections,
        max_size=settings.database_max_connections,
        check=AsyncConnectionPool.check_connection,
        # Longer waits between attempts would outlast the database's return by minutes.
        reconnect_timeout=5,
        timeout=5,
        name="database",
        open=False,
    )
