"""`/health` says the process lives and touches nothing; `/health/ready` says what, if anything, it waits for.

Ready means: the database answers through the pooler, is migrated, its keys open, and Redis answers.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from psycopg.errors import InsufficientPrivilege, InvalidSchemaName, UndefinedTable
from redis.asyncio import Redis

from healthv1_api.database.pool import Pool
from healthv1_api.database.standing import CURRENT_REVISION, standing
from healthv1_api.draining import Draining
from healthv1_api.keys.held import Keys
from healthv1_api.keys.master import WrongKeyError

log = logging.getLogger(__name__)
PATIENCE = 1.5  # seconds, for all parts together


@dataclass
class Part:
    """One question, asked once at a time: a hung server costs one connection, not one per request."""

    name: str
    ask: Callable[[], Awaitable[str | None]]
    _asking: "asyncio.Task[str | None] | None" = field(default=None, init=False)

    def asking(self) -> "asyncio.Task[str | None]":
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._failing_part())
        return self._asking

    async def _failing_part(self) -> str | None:
        try:
            return await self.ask()
        except Exception as error:  # noqa: BLE001  # whatever the reason, this part did not answer
            log.warning("%s does not answer: %s", self.name, type(error).__name__)
            return self.name


async def failing(parts: Sequence[Part]) -> list[str]:
    tasks = {part.name: part.asking() for part in parts}
    _, late = await asyncio.wait(tasks.values(), timeout=PATIENCE)
    for task in late:
        task.cancel()
    answers = (name if task in late or task.cancelled() else task.result() for name, task in tasks.items())
    return [answer for answer in answers if answer]


def routes(parts: Sequence[Part], draining: Draining) -> APIRouter:
    router = APIRouter(prefix="/health", tags=["health"])

    @router.get("")
    async def alive() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/ready")
    async def ready() -> JSONResponse:
        if draining.began:
            return JSONResponse({"status": "draining", "failing": []}, status_code=503)
        names = await failing(parts)
        if names:
            return JSONResponse({"status": "unavailable", "failing": names}, status_code=503)
        return JSONResponse({"status": "ready"})

    return router


def parts(pool: Pool, cache: Redis, keys: Keys) -> tuple[Part, ...]:
    async def database() -> str | None:
        return await _migrations(pool) or await _keys(keys)

    async def redis() -> str | None:
        await cache.ping()
        return None

    return Part("database", database), Part("redis", redis)


async def _migrations(pool: Pool) -> str | None:
    async with pool.connection(timeout=PATIENCE) as connection:
        try:
            cursor = await connection.execute(CURRENT_REVISION)
        except (UndefinedTable, InvalidSchemaName, InsufficientPrivilege):
            return "migrations"
        row = await cursor.fetchone()
    return "migrations" if standing(row[0] if row else None).state == "behind" else None


async def _keys(keys: Keys) -> str | None:
    if keys.held is not None:
        return None
    try:
        await keys.look()
    except WrongKeyError:
        log.error("MASTER_KEY does not open the keys that the database holds: nothing is read or written")  # noqa: TRY400
        return "keys"
    return None
