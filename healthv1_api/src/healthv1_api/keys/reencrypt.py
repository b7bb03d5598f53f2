"""Rows move under the newest data key, some at a time: stopped at any moment, the next run goes on from there."""

from uuid import UUID

from psycopg import sql

from healthv1_api.keys.ring import DataKey, Ring, SealedPlace
from healthv1_api.keys.stored import Connection

BATCH = 200  # rows of one transaction: writers wait for them no longer than that takes
SEALED = {
    "patients": ("identifier", "given_name", "family_name", "birth_date", "notes"),
    "lab_orders": ("details",),
    "imaging_orders": ("details",),
    "worklist": ("details",),
}
READ_OLD = "SELECT id, key_id, {columns} FROM health.{table} WHERE key_id < %s ORDER BY id LIMIT %s FOR UPDATE"
OLD_ROWS = " UNION ALL ".join(f"SELECT FROM health.{table} WHERE key_id < %(newest)s" for table in SEALED)
WRITE_NEW = "UPDATE health.{table} SET key_id = %s, ({columns}) = ROW({values}) WHERE id = %s"


async def reencrypt(connection: Connection, ring: Ring) -> int:
    """Return how many rows were under an older key. Raises TamperedError."""
    moved = 0
    for table, columns in SEALED.items():
        while batch := await _batch(connection, ring, table, columns):
            moved += batch
    return moved


async def any_older(connection: Connection, newest: int) -> bool:
    """Whether a row is under an older key."""
    cursor = await connection.execute(f"{OLD_ROWS} LIMIT 1", {"newest": newest})
    return await cursor.fetchone() is not None


async def _batch(connection: Connection, ring: Ring, table: str, columns: tuple[str, ...]) -> int:
    assert ring.current is not None
    async with connection.transaction():
        cursor = await connection.execute(_written(READ_OLD, table, columns), [ring.current.id, BATCH])
        rows = await cursor.fetchall()
        for row, key, *sealed in rows:
            new = _moved(ring.data[key], ring.current, table, row, columns, sealed)
            await connection.execute(_written(WRITE_NEW, table, columns), [ring.current.id, *new, row])
    return len(rows)


def _moved(
    old: DataKey, new: DataKey, table: str, row: UUID, columns: tuple[str, ...], sealed: list[bytes]
) -> list[bytes]:
    places = [SealedPlace(table, row, column) for column in columns]
    return [new.seal(place, old.open(place, value)) for place, value in zip(places, sealed, strict=True)]


def _written(statement: str, table: str, columns: tuple[str, ...]) -> sql.Composed:
    return sql.SQL(statement).format(
        table=sql.Identifier(table),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        values=sql.SQL(", ").join([sql.Placeholder()] * len(columns)),
    )
