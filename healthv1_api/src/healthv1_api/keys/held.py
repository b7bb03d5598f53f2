"""The service's keys: opened when the database first answers, looked at again when another instance added one.

Before an instance listens, its master key is tried on what is stored. A database that is away is waited for.
"""

import asyncio
import logging
import time
from datetime import timedelta

import psycopg
from psycopg import AsyncConnection

from healthv1_api.database.pool import CONNECTION, Pool, asking
from healthv1_api.errors import MasterKeyError
from healthv1_api.keys import stored
from healthv1_api.keys.master import MasterKeys, WrongKeyError
from healthv1_api.keys.ring import DataKey, Ring
from healthv1_api.settings import ServiceSettings

log = logging.getLogger(__name__)
LOOK_AGAIN = 30.0  # seconds: how long a write may still use a key after another instance or a command rotated it


class Keys:
    def __init__(self, pool: Pool, masters: MasterKeys, lasts: timedelta) -> None:
        self._pool, self._masters, self._lasts = pool, masters, lasts
        self._ring: Ring | None = None
        self._looked = 0.0
        self._looking = asyncio.Lock()

    @property
    def held(self) -> Ring | None:
        return self._ring

    async def for_reading(self, key: int | None = None) -> Ring:
        """Return a ring that has that key. Raises WrongKeyError, and what a database that is away raises."""
        ring = self._ring
        return ring if ring and (key is None or key in ring.data) else await self.look()

    async def for_writing(self) -> tuple[Ring, DataKey]:
        """Return a ring, and its data key that is not due yet."""
        ring = self._ring
        due = ring is None or ring.current is None or ring.current.age >= self._lasts
        if due or time.monotonic() - self._looked > LOOK_AGAIN:
            ring = await self.look()
        assert ring is not None
        assert ring.current is not None
        return ring, ring.current

    async def look(self) -> Ring:
        began = time.monotonic()
        async with self._looking:
            if self._ring is None or self._looked < began:
                async with asking(self._pool) as connection:
                    self._ring = await stored.complete(connection, self._masters, self._lasts)
                self._looked = time.monotonic()
            return self._ring


def try_master_key(settings: ServiceSettings) -> None:
    """Raises MasterKeyError."""
    try:
        asyncio.run(_complete(settings))
    except WrongKeyError:
        raise MasterKeyError from None
    except psycopg.Error as error:
        log.warning("the master key is not tried yet: %s", type(error).__name__)


async def _complete(settings: ServiceSettings) -> None:
    url = settings.database_url.get_secret_value()
    async with await AsyncConnection.connect(url, **CONNECTION) as connection:
        masters = MasterKeys(settings.master_key, settings.master_key_also_accepted)
        await stored.complete(connection, masters, timedelta(settings.dek_rotation_days))
