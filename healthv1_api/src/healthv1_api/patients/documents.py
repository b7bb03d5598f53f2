"""What clients send and receive about patients."""

from datetime import date, datetime, timedelta, timezone
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from healthv1_api.documents import Document

AHEAD = timedelta(hours=14)  # of UTC: where it is tomorrow first, somebody may be born


def _without_nul(text: str) -> str:
    """Other systems end a text there: for them, two people would have one name."""
    if "\0" in text:
        raise ValueError("must not have a NUL character")
    return text


def _has_come(day: date) -> date:
    if day > (datetime.now(timezone.utc) + AHEAD).date():
        raise ValueError("must not be in the future")
    return day


Short = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_without_nul)
]
BirthDate = Annotated[date, AfterValidator(_has_come)]
Notes = Annotated[str, Field(max_length=20_000)]


class NewPatient(Document):
    identifier: Short
    """The organization's own, such as a medical record number: one patient has it."""
    given_name: Short
    family_name: Short
    birth_date: BirthDate
    notes: Notes = ""


class PatientChange(Document):
    """What is absent or null stays as it is."""

    identifier: Short | None = None
    given_name: Short | None = None
    family_name: Short | None = None
    birth_date: BirthDate | None = None
    notes: Notes | None = None


class PatientSearch(Document):
    """Exact matches, whatever the case and spacing: by identifier, or by both names."""

    identifier: Short | None = None
    given_name: Short | None = None
    family_name: Short | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "PatientSearch":
        by_name = self.given_name is not None and self.family_name is not None
        if by_name == (self.identifier is not None):
            raise ValueError("give either identifier, or given_name and family_name")
        return self


class Patient(NewPatient):
    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime


class Patients(Document):
    patients: list[Patient]


class PatientPage(Patients):
    after: UUID | None
    """Ask again with this to read on; null at the end."""
