"""`keys`: each says what it did. A master key that does not open what is stored ends it with 78, nothing changed."""

import asyncio
import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypeVar

from pydantic import SecretStr, TypeAdapter, ValidationError

from healthv1_api.database.once import connection
from healthv1_api.errors import ApiError, MasterKeyError, SettingsError
from healthv1_api.keys import stored
from healthv1_api.keys.master import MasterKey, WrongKeyError
from healthv1_api.keys.reencrypt import reencrypt
from healthv1_api.keys.ring import Ring, TamperedError
from healthv1_api.settings import KeySettings, RewrapSettings, read
from healthv1_api.settings.kinds import MasterKey as MasterKeyText

T = TypeVar("T")


def check(_: Namespace) -> list[str]:
    async def work() -> Ring:
        settings = read(KeySettings)
        async with _opened(settings) as (opened, master):
            return await stored.read(opened, master)

    ring = _told(work())
    if ring.current is None:
        return ["no key is stored yet: the first start of the service makes them"]
    return [f"MASTER_KEY opens all keys; data key {ring.current.id} is {ring.current.age.days} days old"]


def rotate(_: Namespace) -> list[str]:
    async def work() -> Ring:
        async with _opened(read(KeySettings)) as (opened, master):
            return await stored.rotate(opened, master)

    current = _told(work()).current
    assert current is not None
    return [f"data key {current.id} seals from now on; `healthv1-api keys reencrypt` moves what older ones sealed"]


def reseal(_: Namespace) -> list[str]:
    async def work() -> int:
        settings = read(KeySettings)
        async with _opened(settings) as (opened, master):
            ring = await stored.complete(opened, master, timedelta(settings.dek_rotation_days))
            return await reencrypt(opened, ring)

    moved = _told(work())
    return [f"moved {moved} rows" if moved else "nothing to do: every row is under the newest data key"]


def rewrap(_: Namespace) -> list[str]:
    settings = read(RewrapSettings)
    old = MasterKey(settings.master_key_previous or _from_stdin())

    async def work() -> int:
        async with connection(settings.migration_database_url, "MIGRATION_DATABASE_URL") as opened:
            return await stored.rewrap(opened, old, MasterKey(settings.master_key))

    wrapped = _told(work(), "MASTER_KEY_PREVIOUS")
    return [f"rewrapped {wrapped} keys" if wrapped else "nothing to do: MASTER_KEY wraps every key"]


@asynccontextmanager
async def _opened(settings: KeySettings) -> AsyncIterator[tuple[stored.Connection, MasterKey]]:
    async with connection(settings.database_url, "DATABASE_URL") as opened:
        yield opened, MasterKey(settings.master_key)


def _told(work: Coroutine[None, None, T], variable: str = "MASTER_KEY") -> T:
    try:
        return asyncio.run(work)
    except WrongKeyError:
        raise MasterKeyError(variable) from None
    except TamperedError as error:
        raise ApiError(f"{error}.", hint="restore that row from a backup; the others are intact.") from None


def _from_stdin() -> SecretStr:
    try:
        return TypeAdapter(MasterKeyText).validate_python(SecretStr(sys.stdin.readline().strip()))
    except ValidationError:
        raise SettingsError(
            "MASTER_KEY_PREVIOUS: is neither set nor given on stdin as base64 of 32 bytes.",
            hint="pipe the old master key in, on one line.",
        ) from None
