"""The schema moves up to this release's head, or one step down, by one process at a time."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from healthv1_api.database.direct import owner_connection
from healthv1_api.database.standing import SCHEMA, SchemaStanding, found
from healthv1_api.errors import DatabaseError
from healthv1_api.settings import MigrationSettings

TURN = 0x6865616C7468  # "health": the advisory lock that serializes migrations
WAIT_FOR_TURN = "10min"
WAIT_FOR_TABLE = "3s"


def run(settings: MigrationSettings, restore_point: str = "") -> tuple[SchemaStanding, bool]:
    """Return where the database stood before, and whether the moment before the first migration got its name.

    A name that was given before leads to the first moment of that name: a run that failed half-way is repeated with it.
    """
    with owner_connection(settings) as connection:
        before = _take_turn(connection)
        named = bool(before.pending and restore_point) and _name_this_moment(connection, restore_point)
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        connection.commit()
        command.upgrade(_config(settings, connection), "head")
        return before, named


def revert(settings: MigrationSettings) -> SchemaStanding:
    """Return where the database stood before."""
    with owner_connection(settings) as connection:
        before = _take_turn(connection)
        if before.current is not None:
            command.downgrade(_config(settings, connection), "-1")
        return before


def _take_turn(connection: Connection) -> SchemaStanding:
    _wait_at_most(connection, WAIT_FOR_TURN)
    connection.execute(text("SELECT pg_advisory_lock(:turn)"), {"turn": TURN})
    _wait_at_most(connection, WAIT_FOR_TABLE)
    before = found(connection)
    connection.commit()
    if before.state == "ahead":
        raise DatabaseError(
            f"MIGRATION_DATABASE_URL: the database is at {before.current}, which this release does not know.",
            hint="use the release that brought it there.",
        )
    return before


def _name_this_moment(connection: Connection, name: str) -> bool:
    """Name it in the WAL, and have that archived. Without backups nobody let this role do so: then there is no use."""
    functions = ("pg_create_restore_point(text)", "pg_switch_wal()")
    may = "SELECT " + " AND ".join(f"has_function_privilege('{function}', 'execute')" for function in functions)
    allowed = bool(connection.scalar(text(may)))
    if allowed:
        connection.execute(text("SELECT pg_create_restore_point(:name), pg_switch_wal()"), {"name": name})
    connection.commit()
    return allowed


def _wait_at_most(connection: Connection, duration: str) -> None:
    connection.execute(text("SELECT set_config('lock_timeout', :duration, false)"), {"duration": duration})


def _config(settings: MigrationSettings, connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", "healthv1_api:migrations")
    config.attributes.update(connection=connection, application_role=settings.application_role)
    return config
