"""`/v1/users`: an admin adds the people of the organization, lists them, and changes what they may do."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query
from psycopg.errors import UniqueViolation

from healthv1_api.audit.trail import TELL, Action
from healthv1_api.auth import resetting
from healthv1_api.auth.choosing import refuse_weak
from healthv1_api.auth.families import Families
from healthv1_api.auth.gate import Caller, Gate
from healthv1_api.auth.passwords import Passwords
from healthv1_api.auth.statements import ADD_ROLE, ADD_USER, KEEP_CODE
from healthv1_api.database.pool import Pool, asking
from healthv1_api.identifiers import new_id
from healthv1_api.problems import documented
from healthv1_api.users import changing
from healthv1_api.users.documents import NewUser, ResetCode, User, UserChange, UserPage
from healthv1_api.users.statements import LIST_USERS

FIRST = UUID(int=0)
ONESELF = "Change your own password with POST /v1/auth/password."
INACTIVE = "This user is deactivated: reactivate them first."


def routes(pool: Pool, gate: Gate, passwords: Passwords, families: Families) -> APIRouter:
    router = APIRouter(prefix="/v1/users", tags=["users"])
    Admin = Annotated[Caller, Depends(gate.allow("admin"))]  # noqa: N806 - a type

    @router.post("", status_code=201, responses=documented(401, 403, 409, 422))
    async def create(caller: Admin, wanted: NewUser) -> User:
        refuse_weak("password", wanted.password, wanted.username)
        user, hashed = new_id(), await passwords.hash(wanted.password.get_secret_value())
        try:
            await _add(caller, user, wanted, hashed)
        except UniqueViolation:
            raise HTTPException(409, "This username is taken.") from None
        return User(id=user, username=wanted.username, roles=sorted(wanted.roles), active=True)

    async def _add(caller: Caller, user: UUID, wanted: NewUser, hashed: str) -> None:
        async with asking(pool) as connection, connection.transaction():
            await connection.execute(ADD_USER, [user, caller.identity.organization, wanted.username, hashed])
            for role in sorted(wanted.roles):
                await connection.execute(ADD_ROLE, [user, role])
            await connection.execute(TELL, caller.actor.event(Action.USER_CREATE, user))

    @router.get("", responses=documented(401, 403, 422))
    async def page(caller: Admin, after: UUID = FIRST, limit: Annotated[int, Query(ge=1, le=100)] = 50) -> UserPage:
        asked = caller.actor.event(Action.USER_LIST) | {"after": after, "limit": limit}
        async with asking(pool) as connection:
            rows = await (await connection.execute(LIST_USERS, asked)).fetchall()
        users = [User(id=user, username=name, roles=roles, active=active) for user, name, roles, active in rows]
        return UserPage(users=users, after=users[-1].id if len(users) == limit else None)

    @router.patch("/{user}", responses=documented(401, 403, 404, 409, 422))
    async def change(caller: Admin, user: UUID, wanted: UserChange) -> User:
        async with asking(pool) as connection, connection.transaction():
            return await changing.change(connection, caller, user, wanted, families)

    @router.post("/{user}/password-reset", status_code=201, responses=documented(401, 403, 404, 409, 422))
    async def start_reset(caller: Admin, user: UUID) -> ResetCode:
        """Until the code is used, the password stays as it is. A second code voids the first."""
        if user == caller.identity.user:  # or a stolen token would be worth a password
            raise HTTPException(409, ONESELF)
        code = resetting.new_code()
        async with asking(pool) as connection, connection.transaction():
            if not (await changing.held(connection, caller, user)).active:
                raise HTTPException(409, INACTIVE)
            kept = await connection.execute(KEEP_CODE, [user, resetting.digest_of(code), resetting.LASTS])
            (expires,) = await kept.fetchone() or (None,)
            await connection.execute(TELL, caller.actor.event(Action.RESET_START, user))
        assert expires
        return ResetCode(code=code, expires_at=expires)

    return router
