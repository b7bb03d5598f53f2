"""A new data key, and every row under it: ended at any moment, the next run finishes this and begins no other.

Rows move last, when no instance writes under an older key any more: as long as one is not under the newest key, a
renewal is under way. Nothing else has to be remembered.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from healthv1_api.database.pool import PATIENCE
from healthv1_api.keys import stored
from healthv1_api.keys.held import LOOK_AGAIN
from healthv1_api.keys.master import MasterKeys
from healthv1_api.keys.reencrypt import any_older, reencrypt
from healthv1_api.keys.ring import Ring
from healthv1_api.keys.stored import Connection

# Who has sealed under an older key has to be answered by the pool, and then by the database.
IN_USE = timedelta(seconds=LOOK_AGAIN + 2 * PATIENCE)
PAUSE = 0.5  # seconds


@dataclass(frozen=True)
class Renewal:
    key: int
    begun: bool
    """Rather than finished, after an earlier run began it."""
    moved: int


async def renew(connection: Connection, masters: MasterKeys) -> Renewal:
    """Raises WrongKeyError and TamperedError."""
    await stored.complete(connection, masters, timedelta.max)
    begun = await _begin(connection, masters)
    ring = await _in_use(connection, masters)
    moved = await reencrypt(connection, ring)
    assert ring.current is not None
    return Renewal(ring.current.id, begun, moved)


async def _begin(connection: Connection, masters: MasterKeys) -> bool:
    async with connection.transaction():
        await stored.take_turn(connection)
        newest = (await stored.read(connection, masters)).current
        assert newest is not None
        if newest.age < IN_USE or await any_older(connection, newest.id):
            return False
        await stored.add_data_key(connection, masters)
        return True


async def _in_use(connection: Connection, masters: MasterKeys) -> Ring:
    """Wait until every instance seals with the newest key."""
    while True:
        ring = await stored.read(connection, masters)
        if ring.current is not None and ring.current.age >= IN_USE:
            return ring
        await asyncio.sleep(PAUSE)
