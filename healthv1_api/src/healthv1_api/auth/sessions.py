"""A session lives in Redis for as long as it is used, and ends when it is not, or at logout, on every instance.

A page asks many times at once: Redis is asked once a second.
"""

import hmac
import time
from uuid import UUID

from pydantic import SecretStr
from redis.asyncio import Redis

RECENT = 1.0  # seconds: for so long after a logout elsewhere, this instance may still answer
MOST = 10_000


class Sessions:
    def __init__(self, redis: Redis, secret: SecretStr, idle: int) -> None:
        self._redis, self._idle = redis, idle
        self._secret = secret.get_secret_value().encode()
        self._seen: dict[UUID, float] = {}

    async def open(self, session: UUID) -> None:
        await self._redis.set(self._name(session), b"", ex=self._idle)

    async def goes_on(self, session: UUID) -> bool:
        """Whether it has not ended; if so, it lives on for the whole idle time."""
        now = time.monotonic()
        if now - self._seen.get(session, -RECENT) < RECENT:
            return True
        if not await self._redis.expire(self._name(session), self._idle):
            return False
        if len(self._seen) >= MOST:
            self._seen.clear()
        self._seen[session] = now
        return True

    async def end(self, session: UUID) -> None:
        self._seen.pop(session, None)
        await self._redis.delete(self._name(session))

    def _name(self, session: UUID) -> str:
        # Keyed: who reads Redis learns no session, and who writes it cannot make one.
        return f"session:{hmac.digest(self._secret, session.bytes, 'sha256').hex()}"
