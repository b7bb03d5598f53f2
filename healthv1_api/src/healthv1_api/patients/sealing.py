"""A patient as the database keeps them: ciphertext, and digests to find them by."""

import unicodedata
from datetime import date
from typing import Any
from uuid import UUID

from healthv1_api.keys.held import Keys
from healthv1_api.keys.ring import Place, Ring
from healthv1_api.patients.documents import NewPatient, Patient
from healthv1_api.patients.statements import SEALED

Row = tuple[Any, ...]


async def sealed(keys: Keys, organization: UUID, row: UUID, patient: NewPatient) -> dict[str, object]:
    ring, key = await keys.for_writing()
    values = {column: str(getattr(patient, column)) for column in SEALED}
    return {
        **{column: key.seal(Place("patients", row, column), value) for column, value in values.items()},
        "identifier_digest": identifier_digest(ring, organization, patient.identifier),
        "name_digest": name_digest(ring, organization, patient.given_name, patient.family_name),
        "key_id": key.id,
    }


async def opened(keys: Keys, row: Row) -> Patient:
    """Raises TamperedError."""
    identity, version, created, updated, key_id, *ciphertexts = row
    key = (await keys.for_reading(key_id)).data[key_id]
    row_name = str(identity)
    values = {
        column: key.open(Place("patients", row_name, column), ciphertext)
        for column, ciphertext in zip(SEALED, ciphertexts, strict=True)
    }
    # Not validated again: what was sealed had been.
    return Patient.model_construct(
        id=identity,
        version=version,
        created_at=created,
        updated_at=updated,
        identifier=values["identifier"],
        given_name=values["given_name"],
        family_name=values["family_name"],
        birth_date=date.fromisoformat(values["birth_date"]),
        notes=values["notes"],
    )


def identifier_digest(ring: Ring, organization: UUID, identifier: str) -> bytes:
    return ring.digest("patients.identifier", organization, _plain(identifier))


def name_digest(ring: Ring, organization: UUID, given: str, family: str) -> bytes:
    return ring.digest("patients.name", organization, _plain(given), _plain(family))


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
