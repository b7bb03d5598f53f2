"""A secret is a reference until the one moment an operation made for secrets reveals it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from pydantic_core import CoreSchema, core_schema

from deploys.faults import Fault, Refused


class Backend(Protocol):
    """Where secrets are kept, on the operator's side."""

    def reveal(self, secret: Secret) -> str:
        """Return the value, reading the backend at most once per run. Raises `Refused`."""

    def missing(self, secrets: tuple[Secret, ...]) -> tuple[Secret, ...]:
        """Return those that the backend does not hold yet."""

    def store(self, secrets: tuple[Secret, ...]) -> None:
        """Generate and keep those that are missing; never overwrite. Raises `Refused`."""


@dataclass(frozen=True)
class Secret:
    """One key in the secrets backend."""

    key: str
    entropy: int = 0
    """Random bytes to generate (base64-encoded) when it is missing; 0 when only a person can supply it."""
    backend: Backend | None = None

    def bind(self, backend: Backend) -> Secret:
        return replace(self, backend=backend)

    def reveal(self) -> str:
        """Return the value itself. Only operations made for secrets call this. Raises `Refused`."""
        if self.backend is None:
            raise Refused(Fault(str(self), "It has no backend.", "set `secrets` in group_data"))
        return self.backend.reveal(self)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> CoreSchema:
        """A reference is taken as it is; without this pydantic would look into it as into any dataclass."""
        return core_schema.is_instance_schema(cls)

    def __str__(self) -> str:
        return f"{self.backend or 'secret:'}#{self.key}"

    def __repr__(self) -> str:
        return f"Secret({self})"
