"""Before an instance listens, its master key is tried on what is stored. A database that is away is waited for."""

import asyncio
import logging
from datetime import timedelta

import psycopg
from psycopg import AsyncConnection

from healthv1_api.database.pool import CONNECTION
from healthv1_api.errors import MasterKeyError
from healthv1_api.keys import stored
from healthv1_api.keys.master import MasterKeys, WrongKeyError
from healthv1_api.settings import ServiceSettings

log = logging.getLogger(__name__)


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
