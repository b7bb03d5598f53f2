"""A username and a password are right together, or nobody learns which of them was wrong."""

from prometheus_client import Counter
from psycopg.rows import TupleRow

from healthv1_api.audit.trail import TELL, Action, Actor
from healthv1_api.auth.families import Proven
from healthv1_api.auth.guesses import Guesses, TooManyError
from healthv1_api.auth.passwords import Passwords
from healthv1_api.auth.statements import FIND_USER
from healthv1_api.auth.tokens import NotIdentified
from healthv1_api.database.pool import Pool, asking

WRONG = "The username or the password is wrong."


class PasswordLogins:
    def __init__(self, pool: Pool, passwords: Passwords, guesses: Guesses, count: Counter) -> None:
        self._pool, self._passwords, self._guesses, self._count = pool, passwords, guesses, count

    async def prove(self, username: str, password: str, address: str | None) -> Proven:
        """Raises NotIdentified, and TooManyError also for the right password. Of a login, say when it has begun."""
        try:
            await self._guesses.refuse_while_waiting(username)
            user, organization, stored = await self._find(username) or (None, None, None)
            matches = await self._passwords.match(stored, password)
            if matches and user and organization and stored:
                await self._guesses.refuse_while_waiting(username)
                return Proven(user, organization, stored)
            await self._guesses.wrong(username)
        except TooManyError:
            self._count.labels("delayed").inc()
            raise
        async with asking(self._pool) as connection:
            await connection.execute(TELL, Actor(address, organization).event(Action.LOGIN_REFUSED, user))
        self._count.labels("refused").inc()
        raise NotIdentified(WRONG)

    async def begun(self, username: str) -> None:
        await self._guesses.right(username)
        self._count.labels("accepted").inc()

    async def _find(self, username: str) -> TupleRow | None:
        async with asking(self._pool) as connection:
            return await (await connection.execute(FIND_USER, [username])).fetchone()
