"""`/v1/auth`: a password for tokens, a refresh token for new ones, and the end of both."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from prometheus_client import Counter
from pydantic import Field, SecretStr

from healthv1_api.audit.trail import TELL, Action, Actor, address_of
from healthv1_api.auth.families import Families, ReusedError
from healthv1_api.auth.gate import Caller, Gate
from healthv1_api.auth.passwords import BusyError, Passwords
from healthv1_api.auth.sessions import Sessions
from healthv1_api.auth.statements import FIND_USER
from healthv1_api.auth.tokens import AccessTokens, Identity, NotIdentified
from healthv1_api.database.asking import asking
from healthv1_api.database.pool import Pool
from healthv1_api.documents import Document, Username
from healthv1_api.identifiers import new_id
from healthv1_api.problems import documented

WRONG = "The username or the password is wrong."


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
    pool: Pool,
    gate: Gate,
    passwords: Passwords,
    tokens: AccessTokens,
    sessions: Sessions,
    families: Families,
    logins: Counter,
) -> APIRouter:
    router = APIRouter(prefix="/v1/auth", tags=["auth"])

    @router.post("/login", responses=documented(401, 422, 503))
    async def login(request: Request, wanted: Login) -> Tokens:
        identity = await _identity(wanted, Actor(address_of(request.scope)))
        refresh_token = await families.begin(
            identity, Actor(address_of(request.scope), identity.organization, identity.user)
        )
        await sessions.open(identity.session)
        logins.labels("accepted").inc()
        return _tokens(identity, refresh_token)

    async def _identity(wanted: Login, stranger: Actor) -> Identity:
        async with asking(pool) as connection:
            found = await (await connection.execute(FIND_USER, [wanted.username])).fetchone()
        user, organization, stored, roles = found or (None, None, None, ())
        try:
            matches = await passwords.match(stored, wanted.password.get_secret_value())
        except BusyError:
            raise HTTPException(503, "Too many log in at once.", {"Retry-After": "5"}) from None
        if matches and user and organization:
            return Identity(user, organization, new_id(), frozenset(roles))
        async with asking(pool) as connection:
            refused = Actor(stranger.address, organization)
            await connection.execute(TELL, refused.event(Action.LOGIN_REFUSED, user))
        logins.labels("refused").inc()
        raise NotIdentified(WRONG)

    @router.post("/refresh", responses=documented(401, 422, 503))
    async def refresh(request: Request, wanted: Refresh) -> Tokens:
        try:
            found = await families.go_on(wanted.refresh_token.get_secret_value(), Actor(address_of(request.scope)))
        except ReusedError as reused:
            await sessions.end(reused.session)
            found = None
        if found is None:
            raise NotIdentified("The refresh token is not good: log in.")
        identity, following = found
        await sessions.open(identity.session)
        return _tokens(identity, following)

    @router.post("/logout", status_code=204, responses=documented(401, 503))
    async def logout(caller: Annotated[Caller, Depends(gate.allow())]) -> Response:
        await families.end(caller.identity, caller.actor)
        await sessions.end(caller.identity.session)
        return Response(status_code=204)

    def _tokens(identity: Identity, refresh_token: str) -> Tokens:
        return Tokens(access_token=tokens.issue(identity), refresh_token=refresh_token, expires_in=tokens.lasts)

    return router
