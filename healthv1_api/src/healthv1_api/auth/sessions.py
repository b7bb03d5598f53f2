"""A session lives in Redis for as long as it is used, and ends when it is not, or at logout, on every instance."""

import hmac
from uuid import UUID

from pydantic import SecretStr
from redis.asyncio import Redis


class Sessions:
    def __init__(self, redis: Redis, secret: SecretStr, idle: int) -> None:
        self._redis, self._idle = redis, idle
        self._secret = secret.get_secret_value().encode()

    async def open(self, session: UUID) -> None:
        await self._redis.set(self._name(session), b"", ex=self._idle)

    async def goes_on(self, session: UUID) -> bool:
        """Whether it has not ended; if so, it lives on for the whole idle time."""
        return bool(await self._redis.expire(self._name(session), self._idle))

    async def end(self, session: UUID) -> None:
        await self._redis.delete(self._name(session))

    def _name(self, session: UUID) -> str:
        # Keyed: who reads Redis learns no session, and who writes it cannot make one.
        return f"session:{hmac.digest(self._secret, session.bytes, 'sha256').hex()}"
