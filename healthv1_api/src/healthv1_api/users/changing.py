"""An admin ends a person's access, gives it back, or changes what they may do. What is taken away ends all sessions."""

from typing import Any
from uuid import UUID

from fastapi import HTTPException
from psycopg import AsyncConnection

from healthv1_api.audit.trail import TELL, Action
from healthv1_api.auth.families import Families
from healthv1_api.auth.gate import Caller
from healthv1_api.auth.statements import ADD_ROLE, FORGET_CODE
from healthv1_api.users.documents import User, UserChange
from healthv1_api.users.statements import HOLD_USER, OTHER_ADMINS, REMOVE_ROLE, SET_ACTIVE, TAKE_TURN_AT_ROLES

LAST = "This is the organization's last active admin: make somebody else one first."
Connection = AsyncConnection[Any]


async def held(connection: Connection, caller: Caller, user: UUID) -> User:
    """Return a person of the caller's organization, whose row is held. Raises HTTPException."""
    found = await (await connection.execute(HOLD_USER, [caller.identity.organization, user])).fetchone()
    if found is None:
        raise HTTPException(404)
    username, roles, active = found
    return User(id=user, username=username, roles=roles, active=active)


async def change(connection: Connection, caller: Caller, user: UUID, wanted: UserChange, families: Families) -> User:
    """In a transaction. Raises HTTPException."""
    await connection.execute(TAKE_TURN_AT_ROLES, [caller.identity.organization])
    before = await held(connection, caller, user)
    after = before.model_copy(
        update={
            "active": before.active if wanted.active is None else wanted.active,
            "roles": before.roles if wanted.roles is None else sorted(wanted.roles),
        }
    )
    if _rules(before) and not _rules(after):
        await _refuse_the_last(connection, caller, user)
    await _set_active(connection, caller, before, after)
    await _set_roles(connection, caller, before, after)
    if before.active > after.active or set(before.roles) - set(after.roles):
        await connection.execute(FORGET_CODE, [user])
        await families.end_all(connection, user)
    return after


def _rules(user: User) -> bool:
    return user.active and "admin" in user.roles


async def _refuse_the_last(connection: Connection, caller: Caller, user: UUID) -> None:
    found = await (await connection.execute(OTHER_ADMINS, [caller.identity.organization, user])).fetchone()
    if found != (True,):
        raise HTTPException(409, LAST)


async def _set_active(connection: Connection, caller: Caller, before: User, after: User) -> None:
    if before.active == after.active:
        return
    await connection.execute(SET_ACTIVE, [after.active, after.id])
    action = Action.USER_REACTIVATE if after.active else Action.USER_DEACTIVATE
    await connection.execute(TELL, caller.actor.event(action, after.id))


async def _set_roles(connection: Connection, caller: Caller, before: User, after: User) -> None:
    for role in sorted(set(after.roles) - set(before.roles)):
        await connection.execute(ADD_ROLE, [after.id, role])
        await connection.execute(TELL, caller.actor.event(Action(f"role.add.{role}"), after.id))
    for role in sorted(set(before.roles) - set(after.roles)):
        await connection.execute(REMOVE_ROLE, [after.id, role])
        await connection.execute(TELL, caller.actor.event(Action(f"role.remove.{role}"), after.id))
