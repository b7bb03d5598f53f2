"""`/v1/queues/{queue}`: clinicians put work in, claim the oldest, and complete what they claimed."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Response
from pydantic import Field

from healthv1_api.audit.trail import Action
from healthv1_api.auth.gate import Caller, Gate
from healthv1_api.database.pool import Pool, asking
from healthv1_api.documents import Document
from healthv1_api.identifiers import new_id
from healthv1_api.keys.held import Keys
from healthv1_api.keys.ring import SealedPlace
from healthv1_api.problems import documented
from healthv1_api.queues.statements import ADD, CLAIM, COMPLETE, Queue


class NewOrder(Document):
    patient_id: UUID
    details: Annotated[str, Field(min_length=1, max_length=10_000)]
    """What is to be done. It tells about a patient, so it is sealed as they are."""


class Order(NewOrder):
    id: UUID
    created_at: datetime
    claimed_until: datetime | None = None


def routes(pool: Pool, gate: Gate, keys: Keys) -> APIRouter:
    router = APIRouter(prefix="/v1/queues/{queue}", tags=["queues"])
    Clinician = Annotated[Caller, Depends(gate.allow("clinician"))]  # noqa: N806 - a type

    async def row(statement: str, parameters: dict[str, object]) -> Any:
        async with asking(pool) as connection:
            return await (await connection.execute(statement, parameters)).fetchone()

    @router.post("", status_code=201, responses=documented(401, 403, 404, 422))
    async def create(caller: Clinician, queue: Queue, wanted: NewOrder) -> Order:
        order = new_id()
        _, key = await keys.for_writing()
        details = key.seal(SealedPlace(queue.value, order, "details"), wanted.details)
        event = caller.actor.event(Action.ORDER_CREATE, wanted.patient_id)
        made = await row(ADD[queue], {**event, "id": order, "key_id": key.id, "details": details})
        if made is None:
            raise HTTPException(404, "There is no such patient.")
        return Order(id=order, created_at=made[0], **wanted.model_dump())

    @router.post("/claim", responses={204: {"description": "Nothing waits."}, **documented(401, 403, 422)})
    async def claim(caller: Clinician, queue: Queue) -> Order:
        claimed = await row(CLAIM[queue], caller.actor.event(Action.ORDER_CLAIM))
        if claimed is None:
            return Response(status_code=204)  # type: ignore[return-value]  # FastAPI sends a response as it is
        order, patient, key_id, sealed, created, until = claimed
        key = (await keys.for_reading(key_id)).data[key_id]
        details = key.open(SealedPlace(queue.value, order, "details"), sealed)
        return Order(id=order, patient_id=patient, details=details, created_at=created, claimed_until=until)

    @router.post("/{order}/complete", status_code=204, responses=documented(401, 403, 409, 422))
    async def complete(caller: Clinician, queue: Queue, order: UUID) -> Response:
        done = await row(COMPLETE[queue], {**caller.actor.event(Action.ORDER_COMPLETE), "id": order})
        if done is None:
            raise HTTPException(409, "It is not claimed by you, or was completed.")
        return Response(status_code=204)

    return router
