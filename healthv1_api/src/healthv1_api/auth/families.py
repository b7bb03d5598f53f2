"""A login begins a family of refresh tokens. Each is good once; a second use means theft, and ends the family.

A session is opened, or ended, before the transaction that says so is over: whoever ends a person's access waits for
the rows that it holds, and so leaves no session behind. When Redis is away, nothing of it has happened.
"""

import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from healthv1_api.audit.trail import TELL, Action, Actor
from healthv1_api.auth.sessions import Sessions
from healthv1_api.auth.statements import (
    ADD_FAMILY,
    ADD_TOKEN,
    FIND_ROLES,
    FIND_TOKEN,
    FORGET_OLD_FAMILIES,
    REVOKE_FAMILIES_OF,
    REVOKE_FAMILY,
    USE_TOKEN,
)
from healthv1_api.auth.tokens import Identity, digest_of, new_refresh_token
from healthv1_api.database.pool import Pool, asking
from healthv1_api.identifiers import new_id

log = logging.getLogger(__name__)


class ReusedError(Exception):
    def __init__(self, session: UUID) -> None:
        super().__init__(session)
        self.session = session


@dataclass(frozen=True)
class Proven:
    """Whose password was compared, and with which hash."""

    user: UUID
    organization: UUID
    stored: str


class Families:
    def __init__(self, pool: Pool, sessions: Sessions, lasts: int) -> None:
        self._pool, self._sessions, self._lasts = pool, sessions, lasts

    async def begin(self, proven: Proven, address: str | None) -> tuple[Identity, str] | None:
        """Return who is logged in and the family's first token, or None when the hash is no longer the one."""
        token, family, user = new_refresh_token(), new_id(), proven.user
        asked = {"family": family, "user": user, "proven": proven.stored, "days": self._lasts}
        async with asking(self._pool) as connection, connection.transaction():
            if await (await connection.execute(ADD_FAMILY, asked)).fetchone() is None:
                return None
            # Asked now: who takes a role away waits for the row that is held.
            roles = await (await connection.execute(FIND_ROLES, [user])).fetchall()
            await connection.execute(FORGET_OLD_FAMILIES, [user])
            await connection.execute(ADD_TOKEN, [digest_of(token), family])
            actor = Actor(address, proven.organization, user)
            await connection.execute(TELL, actor.event(Action.LOGIN, user))
            await self._sessions.open(family)
        return Identity(user, proven.organization, family, frozenset(role for (role,) in roles)), token

    async def go_on(self, token: str, actor: Actor) -> tuple[Identity, str] | None:
        """Return whose token it is and the next one, or None for a token that is none. Raises ReusedError."""
        following, digest = new_refresh_token(), digest_of(token)
        async with asking(self._pool) as connection, connection.transaction():
            found = await (await connection.execute(FIND_TOKEN, [digest])).fetchone()
            if found is None:
                return None
            used, family, user, organization, roles = found
            if used:
                await connection.execute(REVOKE_FAMILY, [family])
                told = Actor(actor.address, organization, user)
                await connection.execute(TELL, told.event(Action.REFRESH_REUSED, user))
            else:
                await connection.execute(USE_TOKEN, [digest])
                await connection.execute(ADD_TOKEN, [digest_of(following), family])
                await self._sessions.open(family)
        if used:
            log.warning("a refresh token was used twice: its family is revoked")
            raise ReusedError(family)
        return Identity(user, organization, family, frozenset(roles)), following

    async def end(self, identity: Identity, actor: Actor) -> None:
        async with asking(self._pool) as connection, connection.transaction():
            await connection.execute(REVOKE_FAMILY, [identity.session])
            await connection.execute(TELL, actor.event(Action.LOGOUT, identity.user))

    async def end_all(self, connection: AsyncConnection[Any], user: UUID) -> None:
        """In a transaction that holds the user's row."""
        ended = await (await connection.execute(REVOKE_FAMILIES_OF, {"user": user})).fetchall()
        await self._sessions.end(*(family for (family,) in ended))
