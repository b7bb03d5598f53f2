"""`/v1/auth/password`: who is logged in chooses another password, and is logged out everywhere."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Response
from pydantic import Field, SecretStr

from healthv1_api.audit.trail import TELL, Action
from healthv1_api.auth.gate import Caller, Gate
from healthv1_api.auth.passwords import BusyError, Passwords
from healthv1_api.auth.sessions import Sessions
from healthv1_api.auth.statements import CHANGE_HASH, FIND_HASH, REVOKE_FAMILIES_OF
from healthv1_api.database.asking import asking
from healthv1_api.database.pool import Pool
from healthv1_api.documents import Document
from healthv1_api.problems import documented


class NewPassword(Document):
    current: Annotated[SecretStr, Field(min_length=1, max_length=1024)]
    new: Annotated[SecretStr, Field(min_length=12, max_length=1024)]


def routes(pool: Pool, gate: Gate, passwords: Passwords, sessions: Sessions) -> APIRouter:
    router = APIRouter(prefix="/v1/auth", tags=["auth"])

    @router.post("/password", status_code=204, responses=documented(401, 403, 422))
    async def change(caller: Annotated[Caller, Depends(gate.allow())], wanted: NewPassword) -> Response:
        try:
            hashed = await _hashed(caller, wanted)
        except BusyError:
            raise HTTPException(503, "Too many passwords are set at once.", {"Retry-After": "5"}) from None
        async with asking(pool) as connection, connection.transaction():
            await connection.execute(CHANGE_HASH, [hashed, caller.identity.user])
            ended = await (await connection.execute(REVOKE_FAMILIES_OF, [caller.identity.user])).fetchall()
            await connection.execute(TELL, caller.actor.event(Action.PASSWORD_CHANGE, caller.identity.user))
        for (family,) in ended:
            await sessions.end(family)
        return Response(status_code=204)

    async def _hashed(caller: Caller, wanted: NewPassword) -> str:
        async with asking(pool) as connection:
            found = await (await connection.execute(FIND_HASH, [caller.identity.user])).fetchone()
        if not await passwords.match(found and found[0], wanted.current.get_secret_value()):
            raise HTTPException(403, "The current password is wrong.")
        return await passwords.hash(wanted.new.get_secret_value())

    return router
