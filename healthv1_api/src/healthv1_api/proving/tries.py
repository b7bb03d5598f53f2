"""Which variable is tried on what. All are tried, also when some are refused; of the others the form is looked at."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection
from pydantic import SecretStr

from healthv1_api.auth.passwords import matches
from healthv1_api.auth.tokens import AccessTokens, Identity
from healthv1_api.identifiers import new_id
from healthv1_api.keys import stored
from healthv1_api.keys.master import KEY, MasterKey, MasterKeys
from healthv1_api.proving.logins import database, ping_redis
from healthv1_api.proving.refusals import RefusedError, reason, refusal
from healthv1_api.settings import MigrationSettings, ServiceSettings
from healthv1_api.settings.reading import malformed

T = TypeVar("T")
Given = dict[str, SecretStr]
FIND_VERIFICATION = "SELECT password_hash FROM health.users WHERE username = 'verification' AND active"
DATABASES = ("DATABASE_URL", "MIGRATION_DATABASE_URL")


async def reasons(variables: dict[str, object]) -> dict[str, str | None]:
    """Return for each why it is not accepted, or None."""
    faults = malformed([ServiceSettings, MigrationSettings], variables)
    given = {name: SecretStr(str(value)) for name, value in variables.items() if value and name not in faults}
    names = [name for name in given if name in TRIES]
    tried = await asyncio.gather(*(refusal(TRIES[name](name, given)) for name in names))
    told = dict(zip(names, tried, strict=True))
    return {name: faults.get(name) or told.get(name) for name in variables}


async def _log_in(name: str, given: Given) -> None:
    async with database(given[name]):
        pass


async def _redis(name: str, given: Given) -> None:
    await ping_redis(given[name])


async def _sign(name: str, given: Given) -> None:
    tokens, identity = AccessTokens(given[name], lasts=60), Identity(new_id(), new_id(), new_id(), frozenset())
    if tokens.read(tokens.issue(identity)) != identity:
        raise RefusedError("does not verify what it signs")


async def _open_keys(name: str, given: Given) -> None:
    master, key = MasterKey(given[name]), os.urandom(KEY)
    if master.unwrap(master.wrap(key, "try"), "try") != key:
        raise RefusedError("does not open what it wraps")
    # While it is replaced, some may be under the one and some under the other.
    both = [given[each] for each in ("MASTER_KEY", "MASTER_KEY_ALSO_ACCEPTED") if each in given]
    await _on_a_database(given, lambda connection: stored.read(connection, MasterKeys(*both)))


async def _verify(name: str, given: Given) -> None:
    async def found(connection: AsyncConnection[Any]) -> tuple[str] | None:
        return await (await connection.execute(FIND_VERIFICATION)).fetchone()

    row = await _on_a_database(given, found)
    if row is None:
        raise RefusedError("there is no user `verification`: it is seeded with the next release")
    if not matches(row[0], given[name].get_secret_value()):
        raise RefusedError("is not the password of the user `verification`")


async def _on_a_database(given: Given, work: Callable[[AsyncConnection[Any]], Awaitable[T]]) -> T:
    """Ask the first one that lets in."""
    urls = [given[name] for name in DATABASES if name in given]
    if not urls:
        raise RefusedError("not tried: neither DATABASE_URL nor MIGRATION_DATABASE_URL is given")
    async with AsyncExitStack() as stack:
        return await work(await _first(stack, urls))


async def _first(stack: AsyncExitStack, urls: list[SecretStr]) -> AsyncConnection[Any]:
    url, *others = urls
    try:
        return await stack.enter_async_context(database(url))
    except (psycopg.OperationalError, RefusedError) as error:
        if others:
            return await _first(stack, others)
        raise RefusedError(f"not tried: the database: {reason(error)}") from None


TRIES: dict[str, Callable[[str, Given], Awaitable[None]]] = {
    "DATABASE_URL": _log_in,
    "MIGRATION_DATABASE_URL": _log_in,
    "REDIS_URL": _redis,
    "JWT_SECRET": _sign,
    "JWT_SECRET_ALSO_ACCEPTED": _sign,
    "MASTER_KEY": _open_keys,
    "MASTER_KEY_ALSO_ACCEPTED": _open_keys,
    "VERIFICATION_PASSWORD": _verify,
}
