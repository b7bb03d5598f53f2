"""Who may pass: a valid access token, a session that goes on, and one of the roles that a route asks for."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import HTTPException, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.types import Scope

from healthv1_api.audit.trail import Actor, address_of
from healthv1_api.auth.sessions import Sessions
from healthv1_api.auth.tokens import AccessTokens, Identity, NotIdentified
from healthv1_api.headers import header

BEARER = HTTPBearer(auto_error=False, bearerFormat="JWT")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]


@dataclass(frozen=True)
class Caller:
    identity: Identity
    actor: Actor


@dataclass(frozen=True, eq=False)
class Door:
    """A dependency: FastAPI describes its parameters, the request itself is what it looks at."""

    tokens: AccessTokens
    sessions: Sessions
    roles: frozenset[str]

    async def __call__(self, request: Request, _: Credentials) -> Caller:
        return await self.admit(request.scope)

    async def admit(self, scope: Scope) -> Caller:
        """Raises NotIdentified, or HTTPException for who lacks a role."""
        identity = self.tokens.read(_token(scope))
        if not await self.sessions.goes_on(identity.session):
            raise NotIdentified("The session has ended: refresh it, or log in.")
        if self.roles and not self.roles & identity.roles:
            raise HTTPException(403, f"This needs one of the roles: {', '.join(sorted(self.roles))}.")
        return Caller(identity, Actor(address_of(scope), identity.organization, identity.user))


def _token(scope: Scope) -> str:
    scheme, _, token = (header(scope, b"authorization") or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NotIdentified("Send an access token: Authorization: Bearer ...")
    return token.strip()


class Gate:
    def __init__(self, tokens: AccessTokens, sessions: Sessions) -> None:
        self._tokens, self._sessions = tokens, sessions

    def allow(self, *roles: str) -> Door:
        """Without roles, whoever is logged in passes."""
        return Door(self._tokens, self._sessions, frozenset(roles))
