"""Why something is not accepted, told without any part of a value."""

import asyncio
from collections.abc import Awaitable

import psycopg
from psycopg.errors import InsufficientPrivilege, InvalidSchemaName, UndefinedTable
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from healthv1_api.keys.master import WrongKeyError

PATIENCE = 5.0  # seconds for each try
SAID = {
    "password authentication failed": "the password or the user is refused",
    "SASL authentication failed": "the password or the user is refused",
    "no such user": "the password or the user is refused",
    "is not permitted to log in": "this role may not log in",
    "no such database": "there is no such database",
    "Connection refused": "nothing listens there",
    "timeout expired": "no answer in time",
}
"""By what libpq, PostgreSQL or PgBouncer says among other things."""


class RefusedError(Exception):
    """Its message is the reason."""


async def refusal(trying: Awaitable[None]) -> str | None:
    """Whatever goes wrong is a reason, and the other tries go on."""
    try:
        await asyncio.wait_for(trying, PATIENCE)
    except Exception as error:  # noqa: BLE001 - a program's message may hold what it was given
        return reason(error)
    return None


def reason(error: Exception) -> str:
    if isinstance(error, RefusedError):
        return str(error)
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)):
        return "no answer in time"
    if isinstance(error, psycopg.Error):
        return _of_the_database(error)
    if isinstance(error, (RedisError, OSError)):
        return _of_redis(error)
    if isinstance(error, WrongKeyError):
        return "does not open every key that the database holds"
    return f"failed: {type(error).__name__}"


def _of_the_database(error: psycopg.Error) -> str:
    if isinstance(error, (UndefinedTable, InvalidSchemaName, InsufficientPrivilege)):
        return "not tried: the database is not migrated"
    return next((told for said, told in SAID.items() if said in str(error)), "cannot log in")


def _of_redis(error: Exception) -> str:
    if isinstance(error, AuthenticationError):
        return "the password or the user is refused"
    return "may not PING" if isinstance(error, NoPermissionError) else "does not answer"
