"""`keys`: each says what it did. A master key that does not open what is stored ends it with 78, nothing changed."""

import asyncio
import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TypeVar

from pydantic import SecretStr, TypeAdapter, ValidationError

from healthv1_api.database.direct import connection_of
from healthv1_api.errors import ApiError, DueError, MasterKeyError, SettingsError
from healthv1_api.keys import stored
from healthv1_api.keys.master import MasterKey, MasterKeys, WrongKeyError
from healthv1_api.keys.renew import Renewal
from healthv1_api.keys.renew import renew as renewed
from healthv1_api.keys.ring import Ring, TamperedError
from healthv1_api.settings import KeySettings, RewrapSettings, read
from healthv1_api.settings.kinds import MasterKey as MasterKeyText

T = TypeVar("T")


def check(arguments: Namespace) -> list[str]:
    async def work() -> tuple[Ring, int]:
        async with _opened() as (opened, masters):
            return await stored.read(opened, masters), await stored.not_under(opened, masters.active)

    ring, others = _told(work())
    if arguments.wrapped and others:
        raise DueError(f"MASTER_KEY does not wrap {others} keys yet.", hint="run `healthv1-api keys rewrap`.")
    if ring.current is None:
        return ["no key is stored yet: the first start of the service makes them"]
    opening = "MASTER_KEY and MASTER_KEY_ALSO_ACCEPTED open" if others else "MASTER_KEY opens"
    return [f"{opening} all keys; data key {ring.current.id} is {ring.current.age.days} days old"]


def renew(_: Namespace) -> list[str]:
    async def work() -> Renewal:
        async with _opened() as (opened, masters):
            return await renewed(opened, masters)

    done = _told(work())
    how = "is new" if done.begun else "was new already: finished what had begun"
    return [f"data key {done.key} {how}; moved {done.moved} rows, and every row is under it"]


def rewrap(_: Namespace) -> list[str]:
    settings = read(RewrapSettings)
    old = MasterKey(settings.master_key_also_accepted or _from_stdin())

    async def work() -> int:
        async with connection_of(settings.migration_database_url, "MIGRATION_DATABASE_URL") as opened:
            return await stored.rewrap(opened, old, MasterKey(settings.master_key))

    wrapped = _told(work(), "MASTER_KEY_ALSO_ACCEPTED")
    return [f"rewrapped {wrapped} keys" if wrapped else "nothing to do: MASTER_KEY wraps every key"]


@asynccontextmanager
async def _opened() -> AsyncIterator[tuple[stored.Connection, MasterKeys]]:
    settings = read(KeySettings)
    async with connection_of(settings.database_url, "DATABASE_URL") as opened:
        yield opened, MasterKeys(settings.master_key, settings.master_key_also_accepted)


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
            "MASTER_KEY_ALSO_ACCEPTED: is neither set nor given on stdin as base64 of 32 bytes.",
            hint="pipe the old master key in, on one line.",
        ) from None
