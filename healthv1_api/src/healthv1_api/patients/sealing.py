"""A patient as the database keeps them: ciphertext, and digests to find them by."""

import unicodedata
from datetime import date
from typing import Any
from uuid import UUID

from healthv1_api.keys.held import Keys
from healthv1_api.keys.ring import Ring, SealedPlace
from healthv1_api.patients.documents import NewPatient, Patient
from healthv1_api.patients.statements import SEALED

Row = tuple[Any, ...]


async def sealed(keys: Keys, organization: UUID, row: UUID, patient: NewPatient) -> dict[str, object]:
    ring, key = await keys.for_writing()
    values = {column: str(getattr(patient, column)) for column in SEALED}
    return {
        **{column: key.seal(SealedPlace("patients", row, column), value) for column, value in values.items()},
        "identifier_digest": identifier_digest(ring, organization, patient.identifier),
        "name_digest": name_digest(ring, organization, patient.given_name, patient.family_name),
        "key_id": key.id,
    }


async def known_of(keys: Keys, row: Row) -> dict[str, Any]:
    """Return what a patient's document holds, the birth date as text. Raises TamperedError."""
    identity, version, created, updated, key_id, *ciphertexts = row
    key = (await keys.for_reading(key_id)).data[key_id]
    name = str(identity)
    known = {
        column: key.open(SealedPlace("patients", name, column), ciphertext)
        for column, ciphertext in zip(SEALED, ciphertexts, strict=True)
    }
    return known | {"id": name, "version": version, "created_at": created, "updated_at": updated}


async def opened(keys: Keys, row: Row) -> Patient:
    """Raises TamperedError."""
    known = await known_of(keys, row)
    parsed = {"id": row[0], "birth_date": date.fromisoformat(known["birth_date"])}
    # Not validated again: what was sealed had been.
    return Patient.model_construct(**(known | parsed))


def identifier_digest(ring: Ring, organization: UUID, identifier: str) -> bytes:
    return ring.digest("patients.identifier", organization, _plain(identifier))


def name_digest(ring: Ring, organization: UUID, given: str, family: str) -> bytes:
    return ring.digest("patients.name", organization, _plain(given), _plain(family))


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
