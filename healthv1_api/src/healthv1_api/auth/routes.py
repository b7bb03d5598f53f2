"""`/v1/auth`: a password for tokens, a refresh token for new ones, and the end of both."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field, SecretStr

from healthv1_api.audit.trail import Actor, address_of
from healthv1_api.auth.families import Families, ReusedError
from healthv1_api.auth.gate import Caller, Gate
from healthv1_api.auth.logins import WRONG, PasswordLogins
from healthv1_api.auth.sessions import Sessions
from healthv1_api.auth.tokens import AccessTokens, Identity, NotIdentified
from healthv1_api.documents import Document, Username
from healthv1_api.problems import documented


class Login(Document):
    username: Username
    password: Annotated[SecretStr, Field(min_length=1, max_length=1024)]


class Refresh(Document):
    refresh_token: Annotated[SecretStr, Field(min_length=1, max_length=128)]


class Tokens(Document):
    access_token: str
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105 - what RFC 6750 calls it
    expires_in: int
    """Seconds, of the access token."""


def routes(
    gate: Gate, logins: PasswordLogins, tokens: AccessTokens, sessions: Sessions, families: Families
) -> APIRouter:
    router = APIRouter(prefix="/v1/auth", tags=["auth"])

    @router.post("/login", responses=documented(401, 422, 429, 503))
    async def login(request: Request, wanted: Login) -> Tokens:
        address = address_of(request.scope)
        proven = await logins.prove(wanted.username, wanted.password.get_secret_value(), address)
        begun = await families.begin(proven, address)
        if begun is None:  # it was changed since
            raise NotIdentified(WRONG)
        await logins.begun(wanted.username)
        return _tokens(*begun)

    @router.post("/refresh", responses=documented(401, 422, 503))
    async def refresh(request: Request, wanted: Refresh) -> Tokens:
        try:
            found = await families.go_on(wanted.refresh_token.get_secret_value(), Actor(address_of(request.scope)))
        except ReusedError as reused:
            await sessions.end(reused.session)
            found = None
        if found is None:
            raise NotIdentified("The refresh token is not good: log in.")
        return _tokens(*found)

    @router.post("/logout", status_code=204, responses=documented(401, 503))
    async def logout(caller: Annotated[Caller, Depends(gate.allow())]) -> Response:
        await families.end(caller.identity, caller.actor)
        await sessions.end(caller.identity.session)
        return Response(status_code=204)

    def _tokens(identity: Identity, refresh_token: str) -> Tokens:
        return Tokens(access_token=tokens.issue(identity), refresh_token=refresh_token, expires_in=tokens.lasts)

    return router
