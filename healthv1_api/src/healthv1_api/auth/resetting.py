"""`/v1/auth/password-reset`: who was given a code by an admin chooses a password with it, once, within minutes."""

import hashlib
import secrets
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from psycopg import Rollback
from psycopg.rows import TupleRow
from pydantic import Field, SecretStr

from healthv1_api.audit.trail import TELL, Action, Actor, address_of
from healthv1_api.auth.choosing import PRESENT, refusal, refuse_weak
from healthv1_api.auth.families import Families, Proven
from healthv1_api.auth.guesses import Guesses
from healthv1_api.auth.passwords import Passwords
from healthv1_api.auth.policy import NewSecret
from healthv1_api.auth.statements import CHANGE_HASH, FIND_CODE, USE_CODE
from healthv1_api.auth.tokens import NotIdentified
from healthv1_api.database.pool import Pool, asking
from healthv1_api.documents import Document, Username
from healthv1_api.problems import documented

LASTS = 15  # minutes
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: it is read out over telephones
GROUPS, IN_GROUP = 4, 5  # 100 bits
MISREAD = str.maketrans("OIL", "011", " -")
WRONG = "The username or the code is wrong, or it has expired."


class Reset(Document):
    username: Username
    code: Annotated[SecretStr, Field(min_length=1, max_length=64)]
    new: NewSecret


def new_code() -> str:
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(IN_GROUP)) for _ in range(GROUPS))


def digest_of(code: str) -> bytes:
    """A digest will do: it was not chosen by a person."""
    return hashlib.sha256(code.upper().translate(MISREAD).encode()).digest()


def routes(pool: Pool, passwords: Passwords, families: Families, guesses: Guesses) -> APIRouter:
    router = APIRouter(prefix="/v1/auth", tags=["auth"])

    @router.post("/password-reset", status_code=204, responses=documented(401, 422, 429))
    async def reset(request: Request, wanted: Reset) -> Response:
        refuse_weak("new", wanted.new, wanted.username)
        address, digest = address_of(request.scope), digest_of(wanted.code.get_secret_value())
        proven = await _proven(wanted.username, digest, address)
        new = wanted.new.get_secret_value()
        if await passwords.match(proven.stored, new):
            raise refusal("new", PRESENT)
        if not await _changed(proven, digest, await passwords.hash(new), address):
            raise NotIdentified(WRONG)  # used, or voided, since
        await guesses.right(wanted.username)
        return Response(status_code=204)

    async def _proven(username: str, digest: bytes, address: str | None) -> Proven:
        await guesses.refuse_while_waiting(username)
        found = await _row(FIND_CODE, {"username": username, "digest": digest})
        user, organization, stored, good = found or (None, None, "", False)
        if good and user and organization:
            return Proven(user, organization, stored)
        await guesses.wrong(username)
        await _tell(Actor(address, organization), user)
        raise NotIdentified(WRONG)

    async def _row(statement: str, parameters: dict[str, object]) -> TupleRow | None:
        async with asking(pool) as connection:
            return await (await connection.execute(statement, parameters)).fetchone()

    async def _tell(stranger: Actor, user: UUID | None) -> None:
        async with asking(pool) as connection:
            await connection.execute(TELL, stranger.event(Action.RESET_REFUSED, user))

    async def _changed(proven: Proven, digest: bytes, hashed: str, address: str | None) -> bool:
        """Whether code and password were still the ones that were found. All sessions have ended then."""
        asked = {"new": hashed, "user": proven.user, "proven": proven.stored}
        async with asking(pool) as connection, connection.transaction() as transaction:
            changed = await (await connection.execute(CHANGE_HASH, asked)).fetchone()
            used = changed and await (await connection.execute(USE_CODE, [proven.user, digest])).fetchone()
            if not used:
                raise Rollback(transaction)
            actor = Actor(address, proven.organization, proven.user)
            await connection.execute(TELL, actor.event(Action.RESET, proven.user))
            await families.end_all(connection, proven.user)
            return True
        return False

    return router
