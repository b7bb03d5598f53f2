"""A session lives in Redis for as long as it is used, and ends when it is not, or at logout, on every instance.

A page asks many times at once: Redis is asked once a second. While SESSION_SECRET is replaced, instances differ in
which of two secrets is theirs: each finds a session under either name, and brings it under its own.
"""

import hmac
import time
from uuid import UUID

from pydantic import SecretStr
from redis.asyncio import Redis

RECENT = 1.0  # seconds: for so long after a logout elsewhere, this instance may still answer
MOST = 10_000


class Sessions:
    def __init__(self, redis: Redis, secret: SecretStr, idle: int, also_accepted: SecretStr | None = None) -> None:
        self._redis, self._idle = redis, idle
        accepted = [secret, also_accepted] if also_accepted else [secret]
        self._secrets = [each.get_secret_value().encode() for each in accepted]
        self._seen: dict[UUID, float] = {}

    async def open(self, session: UUID) -> None:
        await self._redis.set(self._names(session)[0], b"", ex=self._idle)

    async def goes_on(self, session: UUID) -> bool:
        """Whether it has not ended; if so, it lives on for the whole idle time."""
        now = time.monotonic()
        if now - self._seen.get(session, -RECENT) < RECENT:
            return True
        name, *others = self._names(session)
        if not await self._redis.expire(name, self._idle) and not await self._moved(others, name):
            return False
        if len(self._seen) >= MOST:
            self._seen.clear()
        self._seen[session] = now
        return True

    async def end(self, *sessions: UUID) -> None:
        for session in sessions:
            self._seen.pop(session, None)
        if sessions:
            await self._redis.delete(*(name for session in sessions for name in self._names(session)))

    async def _moved(self, others: list[str], name: str) -> bool:
        """Whether it was under another name, or is back under its own: an instance may be moving it the other way."""
        for other in others:
            # At once: between the two, that instance would find it under neither name, or this one would.
            async with self._redis.pipeline(transaction=True) as both:
                both.rename(other, name)  # fails where there is none
                both.expire(name, self._idle)
                _, found = await both.execute(raise_on_error=False)
            if found is True:
                return True
            if isinstance(found, Exception):
                raise found
        return False

    def _names(self, session: UUID) -> list[str]:
        """Under its own secret first. Keyed: who reads Redis learns no session, and who writes it cannot make one."""
        return [f"session:{hmac.digest(secret, session.bytes, 'sha256').hex()}" for secret in self._secrets]
