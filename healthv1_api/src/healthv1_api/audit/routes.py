"""`/v1/audit`: auditors and admins read the trail of their organization, newest first, and that is told too."""

from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from healthv1_api.audit.trail import READ_EVENTS, Action
from healthv1_api.auth.gate import Caller, Gate
from healthv1_api.database.pool import Pool, asking
from healthv1_api.documents import Document
from healthv1_api.problems import documented

LAST = 2**63 - 1


class AuditEvent(Document):
    id: int
    at: datetime
    actor_id: UUID | None
    action: str
    subject_id: UUID | None
    request_id: str | None
    address: IPv4Address | IPv6Address | None


class Events(Document):
    events: list[AuditEvent]
    before: int | None
    """Ask again with this to read on; null at the end."""


def routes(pool: Pool, gate: Gate) -> APIRouter:
    router = APIRouter(prefix="/v1/audit", tags=["audit"])

    @router.get("", responses=documented(401, 403, 422))
    async def read(
        caller: Annotated[Caller, Depends(gate.allow("auditor", "admin"))],
        subject: UUID | None = None,
        before: Annotated[int | None, Query(ge=1, le=LAST)] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
    ) -> Events:
        event = caller.actor.event(Action.AUDIT_READ)
        async with asking(pool) as connection:
            cursor = await connection.execute(
                READ_EVENTS, {**event, "before": before, "about": subject, "limit": limit}
            )
            rows = await cursor.fetchall()
        names = AuditEvent.model_fields
        events = [AuditEvent(**dict(zip(names, row, strict=True))) for row in rows]
        return Events(events=events, before=events[-1].id if len(events) == limit else None)

    return router
