"""Who may pass: a valid access token, a session that goes on, and one of the roles that a route asks for."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import HTTPException, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from healthv1_api.audit.trail import Actor, address_of
from healthv1_api.auth.sessions import Sessions
from healthv1_api.auth.tokens import AccessTokens, Identity, NotIdentified

BEARER = HTTPBearer(auto_error=False, bearerFormat="JWT")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]


@dataclass(frozen=True)
class Caller:
    identity: Identity
    actor: Actor


class Gate:
    def __init__(self, tokens: AccessTokens, sessions: Sessions) -> None:
        self._tokens, self._sessions = tokens, sessions

    def allow(self, *roles: str) -> Callable[..., Awaitable[Caller]]:
        """Return a dependency. Without roles, whoever is logged in passes."""
        wanted = frozenset(roles)

        async def caller(request: Request, credentials: Credentials) -> Caller:
            if credentials is None:
                raise NotIdentified("Send an access token: Authorization: Bearer ...")
            identity = self._tokens.read(credentials.credentials)
            if not await self._sessions.goes_on(identity.session):
                raise NotIdentified("The session has ended: refresh it, or log in.")
            if wanted and not wanted & identity.roles:
                raise HTTPException(403, f"This needs one of the roles: {', '.join(sorted(wanted))}.")
            return Caller(identity, Actor(address_of(request), identity.organization, identity.user))

        return caller
