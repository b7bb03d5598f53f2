"""`/v1/users`: an admin adds the people of the organization."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException
from psycopg.errors import UniqueViolation
from pydantic import Field, SecretStr

from healthv1_api.audit.trail import TELL, Action
from healthv1_api.auth.gate import Caller, Gate
from healthv1_api.auth.passwords import BusyError, Passwords
from healthv1_api.auth.statements import ADD_ROLE, ADD_USER
from healthv1_api.database.asking import asking
from healthv1_api.database.pool import Pool
from healthv1_api.documents import Document, Username
from healthv1_api.identifiers import new_id
from healthv1_api.problems import documented


class NewUser(Document):
    username: Username
    password: Annotated[SecretStr, Field(min_length=12, max_length=1024)]
    roles: Annotated[set[Literal["admin", "clinician", "auditor"]], Field(min_length=1)]


class User(Document):
    id: UUID
    username: str
    roles: list[str]


def routes(pool: Pool, gate: Gate, passwords: Passwords) -> APIRouter:
    router = APIRouter(prefix="/v1/users", tags=["users"])

    @router.post("", status_code=201, responses=documented(401, 403, 409, 422))
    async def create(caller: Annotated[Caller, Depends(gate.allow("admin"))], wanted: NewUser) -> User:
        user = new_id()
        try:
            hashed = await passwords.hash(wanted.password.get_secret_value())
            await _add(caller, user, wanted, hashed)
        except BusyError:
            raise HTTPException(503, "Too many passwords are set at once.", {"Retry-After": "5"}) from None
        except UniqueViolation:
            raise HTTPException(409, "This username is taken.") from None
        return User(id=user, username=wanted.username, roles=sorted(wanted.roles))

    async def _add(caller: Caller, user: UUID, wanted: NewUser, hashed: str) -> None:
        async with asking(pool) as connection, connection.transaction():
            await connection.execute(ADD_USER, [user, caller.identity.organization, wanted.username, hashed])
            for role in sorted(wanted.roles):
                await connection.execute(ADD_ROLE, [user, role])
            await connection.execute(TELL, caller.actor.event(Action.USER_CREATE, user))

    return router
