"""Keys in the database: read, and added where missing or due, by one process at a time and under one master key."""

import os
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection

from healthv1_api.keys.master import KEY, MasterKey, MasterKeys
from healthv1_api.keys.ring import DATA, INDEX, Ring, StoredKey, unwrapped

TURN = 0x6B657973  # "keys": the advisory lock that serializes changes of keys
TAKE_TURN = "SELECT pg_advisory_xact_lock(%s)"
READ_KEYS = "SELECT id, purpose, master, wrapped, created_at FROM health.data_keys ORDER BY id"
ADD_KEY = "INSERT INTO health.data_keys (purpose, master, wrapped) VALUES (%s, %s, %s)"
REWRAP_KEY = "UPDATE health.data_keys SET master = %s, wrapped = %s WHERE id = %s"
Connection = AsyncConnection[Any]


async def read(connection: Connection, masters: MasterKeys) -> Ring:
    """Raises WrongKeyError when one is wrapped under a master key that is not accepted."""
    return unwrapped(await _rows(connection), masters)


async def not_under(connection: Connection, master: MasterKey) -> int:
    """Return how many are wrapped under another."""
    return sum(row.master != master.fingerprint for row in await _rows(connection))


async def complete(connection: Connection, masters: MasterKeys, lasts: timedelta) -> Ring:
    """Return a ring with an index key, and a data key that is younger than `lasts`. Raises WrongKeyError."""
    ring = await read(connection, masters)
    if _is_complete(ring, lasts):
        return ring
    async with connection.transaction():
        await take_turn(connection)
        # Again: another process may have been first, also with another master key.
        ring = await read(connection, masters)
        if ring.index is None:
            await _add(connection, masters, INDEX)
        if not _is_fresh(ring, lasts):
            await add_data_key(connection, masters)
        return await read(connection, masters)


async def take_turn(connection: Connection) -> None:
    """Until the transaction ends, nobody else changes keys."""
    await connection.execute(TAKE_TURN, [TURN])


async def add_data_key(connection: Connection, masters: MasterKeys) -> None:
    """All writes use it within LOOK_AGAIN."""
    await _add(connection, masters, DATA)


async def rewrap(connection: Connection, old: MasterKey, new: MasterKey) -> int:
    """Wrap all keys under `new`, all or none, and return how many were not. Raises WrongKeyError."""
    async with connection.transaction():
        await take_turn(connection)
        rows = [row for row in await _rows(connection) if row.master != new.fingerprint]
        for row in rows:
            wrapped = new.wrap(old.unwrap(row.wrapped, row.purpose), row.purpose)
            await connection.execute(REWRAP_KEY, [new.fingerprint, wrapped, row.id])
        return len(rows)


async def _rows(connection: Connection) -> list[StoredKey]:
    cursor = await connection.execute(READ_KEYS)
    return [StoredKey(*row) for row in await cursor.fetchall()]


async def _add(connection: Connection, masters: MasterKeys, purpose: str) -> None:
    wrapped = masters.active.wrap(os.urandom(KEY), purpose)
    await connection.execute(ADD_KEY, [purpose, masters.active.fingerprint, wrapped])


def _is_complete(ring: Ring, lasts: timedelta) -> bool:
    return ring.index is not None and _is_fresh(ring, lasts)


def _is_fresh(ring: Ring, lasts: timedelta) -> bool:
    return ring.current is not None and ring.current.age < lasts
