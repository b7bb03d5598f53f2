"""A login begins a family of refresh tokens. Each is good once; a second use means theft, and ends the family."""

import logging
from uuid import UUID

from healthv1_api.audit.trail import TELL, Action, Actor
from healthv1_api.auth.statements import (
    ADD_FAMILY,
    ADD_TOKEN,
    FIND_TOKEN,
    FORGET_OLD_FAMILIES,
    REVOKE_FAMILY,
    USE_TOKEN,
)
from healthv1_api.auth.tokens import Identity, digest_of, new_refresh_token
from healthv1_api.database.asking import asking
from healthv1_api.database.pool import Pool

log = logging.getLogger(__name__)


class ReusedError(Exception):
    def __init__(self, session: UUID) -> None:
        super().__init__(session)
        self.session = session


class Families:
    def __init__(self, pool: Pool, lasts: int) -> None:
        self._pool, self._lasts = pool, lasts

    async def begin(self, identity: Identity, actor: Actor) -> str:
        """Return the family's first token."""
        token = new_refresh_token()
        async with asking(self._pool) as connection, connection.transaction():
            await connection.execute(FORGET_OLD_FAMILIES, [identity.user])
            await connection.execute(ADD_FAMILY, [identity.session, identity.user, self._lasts])
            await connection.execute(ADD_TOKEN, [digest_of(token), identity.session])
            await connection.execute(TELL, actor.event(Action.LOGIN, identity.user))
        return token

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
        if used:
            log.warning("a refresh token was used twice: its family is revoked")
            raise ReusedError(family)
        return Identity(user, organization, family, frozenset(roles)), following

    async def end(self, identity: Identity, actor: Actor) -> None:
        async with asking(self._pool) as connection, connection.transaction():
            await connection.execute(REVOKE_FAMILY, [identity.session])
            await connection.execute(TELL, actor.event(Action.LOGOUT, identity.user))
