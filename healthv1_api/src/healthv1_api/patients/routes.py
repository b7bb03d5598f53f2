"""`/v1/patients`: clinicians create, read, list, search and change the patients of their organization."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Response
from psycopg.errors import UniqueViolation
from pydantic_core import to_json

from healthv1_api.audit.trail import Action
from healthv1_api.auth.gate import Caller, Gate
from healthv1_api.database.pool import Pool, asking
from healthv1_api.documents import Json
from healthv1_api.identifiers import new_id
from healthv1_api.keys.held import Keys
from healthv1_api.patients import statements
from healthv1_api.patients.documents import (
    NewPatient,
    Patient,
    PatientChange,
    PatientPage,
    Patients,
    PatientSearch,
)
from healthv1_api.patients.sealing import Row, identifier_digest, known_of, name_digest, opened, sealed
from healthv1_api.problems import documented
from healthv1_api.straight import StraightRoute

FIRST = UUID(int=0)
CHANGED = "The patient was changed since: read again."
TAKEN = "A patient with this identifier exists."


def routes(pool: Pool, gate: Gate, keys: Keys) -> APIRouter:  # noqa: C901 - six routes, each of them simple
    router = APIRouter(prefix="/v1/patients", tags=["patients"])
    Clinician = Annotated[Caller, Depends(gate.allow("clinician"))]  # noqa: N806 - a type

    async def rows(statement: str, parameters: dict[str, object]) -> list[Row]:
        async with asking(pool) as connection:
            # Binary: ciphertext as it is, not as twice as many digits.
            return await (await connection.execute(statement, parameters, binary=True)).fetchall()

    async def written(statement: str, parameters: dict[str, object]) -> Row | None:
        try:
            found = await rows(statement, parameters)
        except UniqueViolation:
            raise HTTPException(409, TAKEN) from None
        return found[0] if found else None

    async def read(caller: Clinician, patient: UUID) -> Response:
        ((found,),) = await rows(statements.READ_PATIENT, caller.actor.event(Action.PATIENT_READ, patient))
        if found is None:
            raise HTTPException(404)
        return _known(await known_of(keys, found))

    router.add_api_route(
        "/{patient}",
        read,
        response_model=Patient,
        responses=documented(401, 403, 404, 422),
        route_class_override=StraightRoute,
    )

    @router.post("", status_code=201, response_model=Patient, responses=documented(401, 403, 409, 422))
    async def create(caller: Clinician, patient: NewPatient) -> Response:
        row = new_id()
        values = await sealed(keys, caller.identity.organization, row, patient)
        event = caller.actor.event(Action.PATIENT_CREATE, row)
        made = await written(statements.ADD_PATIENT, {**event, **values})
        assert made is not None
        answer = _answer(_with(patient, made), 201)
        answer.headers["location"] = f"/v1/patients/{row}"
        return answer

    @router.get("", response_model=PatientPage, responses=documented(401, 403, 422))
    async def page(caller: Clinician, after: UUID = FIRST, limit: Annotated[int, Query(ge=1, le=100)] = 50) -> Response:
        asked = caller.actor.event(Action.PATIENT_LIST) | {"after": after, "limit": limit}
        found = [await opened(keys, row) for row in await rows(statements.LIST_PATIENTS, asked)]
        last = found[-1].id if len(found) == limit else None
        return Json(to_json(PatientPage.model_construct(patients=found, after=last)))

    @router.post("/search", response_model=Patients, responses=documented(401, 403, 422))
    async def search(caller: Clinician, wanted: PatientSearch) -> Response:
        """A POST, because an identifier or a name in a URL would be in logs and histories on the way."""
        statement, digest = await _sought(caller.identity.organization, wanted)
        asked = caller.actor.event(Action.PATIENT_SEARCH) | {"digest": digest}
        found = [await opened(keys, row) for row in await rows(statement, asked)]
        return Json(to_json(Patients.model_construct(patients=found)))

    async def _sought(organization: UUID, wanted: PatientSearch) -> tuple[str, bytes]:
        ring = await keys.for_reading()
        if wanted.identifier is not None:
            return statements.SEARCH_BY_IDENTIFIER, identifier_digest(ring, organization, wanted.identifier)
        names = name_digest(ring, organization, str(wanted.given_name), str(wanted.family_name))
        return statements.SEARCH_BY_NAME, names

    @router.patch("/{patient}", response_model=Patient, responses=documented(401, 403, 404, 409, 412, 422, 428))
    async def change(
        caller: Clinician,
        patient: UUID,
        wanted: PatientChange,
        if_match: Annotated[str | None, Header(description="The ETag that was read before.")] = None,
    ) -> Response:
        if if_match is None:
            raise HTTPException(428, "Send If-Match with the ETag that you read.")
        event = caller.actor.event(Action.PATIENT_UPDATE, patient)
        found = await rows(statements.LOOK_UP, event)
        if not found:
            raise HTTPException(404)
        before = await opened(keys, found[0])
        if if_match != f'"{before.version}"':
            raise HTTPException(412, CHANGED)
        changed = before.model_copy(update=wanted.model_dump(exclude_none=True))
        values = await sealed(keys, caller.identity.organization, patient, changed)
        made = await written(statements.CHANGE_PATIENT, {**event, **values, "version": before.version})
        if made is None:
            raise HTTPException(412, CHANGED)
        return _answer(_with(changed, made))

    return router


def _with(patient: NewPatient, made: Row) -> Patient:
    identifier, version, created, updated = made
    known = {name: getattr(patient, name) for name in NewPatient.model_fields}
    return Patient.model_construct(**known, id=identifier, version=version, created_at=created, updated_at=updated)


def _answer(patient: Patient, status: int = 200) -> Json:
    return Json(to_json(patient), status, _tag(patient.version))


def _known(patient: dict[str, Any]) -> Json:
    return Json(to_json(patient), 200, _tag(patient["version"]))


def _tag(version: int) -> tuple[bytes, bytes]:
    return b"etag", f'"{version}"'.encode()
