"""`/v1/auth/password`: who is logged in chooses another password, and is logged out everywhere."""

import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Response
from pydantic import Field, SecretStr

from healthv1_api.audit.trail import TELL, Action
from healthv1_api.auth.choosing import PRESENT, refusal, refuse_weak
from healthv1_api.auth.families import Families
from healthv1_api.auth.gate import Caller, Gate
from healthv1_api.auth.guesses import Guesses
from healthv1_api.auth.passwords import Passwords
from healthv1_api.auth.policy import NewSecret
from healthv1_api.auth.statements import CHANGE_HASH, FIND_HASH, FORGET_CODE
from healthv1_api.database.pool import Pool, asking
from healthv1_api.documents import Document
from healthv1_api.problems import documented

WRONG = "The current password is wrong."


class NewPassword(Document):
    current: Annotated[SecretStr, Field(min_length=1, max_length=1024)]
    new: NewSecret


def routes(pool: Pool, gate: Gate, passwords: Passwords, families: Families, guesses: Guesses) -> APIRouter:
    router = APIRouter(prefix="/v1/auth", tags=["auth"])

    @router.post("/password", status_code=204, responses=documented(401, 403, 422, 429))
    async def change(caller: Annotated[Caller, Depends(gate.allow())], wanted: NewPassword) -> Response:
        username, stored = await _proven(caller, wanted.current.get_secret_value())
        _refuse(wanted, username)
        hashed, user = await passwords.hash(wanted.new.get_secret_value()), caller.identity.user
        async with asking(pool) as connection, connection.transaction():
            changed = await connection.execute(CHANGE_HASH, {"new": hashed, "user": user, "proven": stored})
            if await changed.fetchone() is None:  # it was changed since
                raise HTTPException(403, WRONG)
            await connection.execute(FORGET_CODE, [user])
            await connection.execute(TELL, caller.actor.event(Action.PASSWORD_CHANGE, user))
            await families.end_all(connection, user)
        await guesses.right(username)
        return Response(status_code=204)

    async def _proven(caller: Caller, current: str) -> tuple[str, str]:
        """Return the caller's name, and the hash that the current password was compared with."""
        async with asking(pool) as connection:
            found = await (await connection.execute(FIND_HASH, [caller.identity.user])).fetchone()
        if found is None:
            raise HTTPException(403, WRONG)
        username, stored = found
        await guesses.refuse_while_waiting(username)
        if await passwords.match(stored, current):
            await guesses.refuse_while_waiting(username)
            return username, stored
        await guesses.wrong(username)
        async with asking(pool) as connection:
            await connection.execute(TELL, caller.actor.event(Action.PASSWORD_REFUSED, caller.identity.user))
        raise HTTPException(403, WRONG)

    def _refuse(wanted: NewPassword, username: str) -> None:
        new, current = (secret.get_secret_value().encode() for secret in (wanted.new, wanted.current))
        if hmac.compare_digest(new, current):
            raise refusal("new", PRESENT)
        refuse_weak("new", wanted.new, username)

    return router
