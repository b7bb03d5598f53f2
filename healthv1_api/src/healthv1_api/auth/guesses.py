"""After some failures in a row, whoever gives this name waits, longer each time; right and wrong are refused alike.

Counted in Redis, for all instances, by the name that was given: nobody learns whether there is such a user. The wait
is looked at again when a password has been compared: of many guesses at once, one is told that it was wrong. A name
is kept under the session secrets, as sessions are: who reads Redis learns none.
"""

import hmac
import math

from fastapi import HTTPException
from redis.asyncio import Redis

from healthv1_api.settings import ServiceSettings

WAIT = "There were too many failures for this username: wait."


class TooManyError(HTTPException):
    def __init__(self, milliseconds: int) -> None:
        super().__init__(429, WAIT, {"Retry-After": str(max(1, math.ceil(milliseconds / 1000)))})


class Guesses:
    def __init__(self, redis: Redis, settings: ServiceSettings) -> None:
        accepted = (settings.session_secret, settings.session_secret_also_accepted)
        self._secrets = [secret.get_secret_value().encode() for secret in accepted if secret]
        self._redis, self._free = redis, settings.login_failures_without_delay
        self._most, self._memory = settings.login_delay_max_seconds, settings.login_failures_remembered_minutes * 60

    async def refuse_while_waiting(self, username: str) -> None:
        """Raises TooManyError. Asked before a secret is compared, and before it is told that it was right."""
        left = await self._left(username)
        if left > 0:
            raise TooManyError(left)

    async def wrong(self, username: str) -> None:
        """Count a failure. Raises TooManyError when others failed meanwhile: then this one is told nothing."""
        counts, waits = self._names("failures", username), self._names("wait", username)
        async with self._redis.pipeline(transaction=True) as counted:
            counted.incr(counts[0])
            counted.expire(counts[0], self._memory)
            for other in counts[1:]:
                counted.get(other)
            mine, _, *others = await counted.execute()
        excess = mine + sum(int(other or 0) for other in others) - self._free
        if excess > 0 and not await self._redis.set(waits[0], b"", px=self._delay(excess), nx=True):
            raise TooManyError(await self._left(username))

    async def right(self, username: str) -> None:
        await self._redis.delete(*self._names("failures", username), *self._names("wait", username))

    async def _left(self, username: str) -> int:
        """Milliseconds; less than one when nobody waits."""
        async with self._redis.pipeline(transaction=False) as asked:
            for name in self._names("wait", username):
                asked.pttl(name)
            return max(await asked.execute())

    def _delay(self, excess: int) -> int:
        """Milliseconds: a second, two, four …"""
        return 1000 * min(self._most, 1 << min(excess - 1, 10))

    def _names(self, what: str, username: str) -> list[str]:
        """Under its own secret first."""
        return [f"{what}:{hmac.digest(secret, username.encode(), 'sha256').hex()}" for secret in self._secrets]
