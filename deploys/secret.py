"""A secret is a reference. Only operations made for secrets reveal its value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from pydantic_core import CoreSchema, core_schema

from deploys.faults import Fault, Refused


@dataclass(frozen=True)
class Version:
    """One value of a secret; version 1 is the first."""

    number: int
    value: str = field(repr=False)


class Backend(Protocol):
    """Where secrets are kept, on the operator's side."""

    def versions(self, secret: Secret) -> tuple[Version, ...]:
        """Return the active version, then the others that are still accepted. Reads once per run. Raises `Refused`."""

    def missing(self, secrets: tuple[Secret, ...]) -> tuple[Secret, ...]:
        """Return the secrets that the backend lacks. Raises `Refused`."""

    def store(self, secrets: tuple[Secret, ...]) -> None:
        """Generate and store the missing ones; never overwrite. Raises `Refused`."""

    def unexported(self, secrets: tuple[Secret, ...]) -> tuple[Fault, ...]:
        """Return a fault for each secret that belongs in escrow and was never exported. Raises `Refused`."""


Rotation = Literal["overlapping", "replacing", "by hand"]


@dataclass(frozen=True)
class Secret:
    """One name in the secrets backend."""

    key: str
    entropy: int = 0
    """Random bytes to generate (base64-encoded) when it is missing; 0 when only a person can supply it."""
    used_by: tuple[str, ...] = ()
    """The components that get its value."""
    rotation: Rotation = "replacing"
    """Overlapping: the old and the new value are both accepted during a rotation."""
    irreplaceable: bool = False
    """Whether nothing can take its place: it is exported for escrow before use, and all versions are kept."""
    in_escrow: bool = False
    """Whether an export for escrow holds it as well, although another could take its place."""
    backend: Backend | None = None

    @property
    def belongs_in_escrow(self) -> bool:
        return self.irreplaceable or self.in_escrow

    def bind(self, backend: Backend) -> Secret:
        return replace(self, backend=backend)

    def versions(self) -> tuple[Version, ...]:
        """Return the accepted versions: the active one first, then at most one other during a rotation.

        Only operations made for secrets call this. Raises `Refused`.
        """
        if self.backend is None:
            raise Refused(Fault(str(self), "It has no backend.", "set `secrets` in group_data"))
        return self.backend.versions(self)

    def numbers(self) -> tuple[int, ...]:
        """Return the numbers of the accepted versions, the active one first. They are not secret. Raises `Refused`."""
        return tuple(version.number for version in self.versions())

    def is_missing(self) -> bool:
        """Whether the backend lacks it and would generate it. Raises `Refused`."""
        return self.backend is not None and bool(self.backend.missing((self,)))

    def reveal(self) -> str:
        """Return the active value. Only operations made for secrets call this. Raises `Refused`."""
        return self.versions()[0].value

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> CoreSchema:
        """Validate by type only: pydantic would otherwise validate the fields, as of any dataclass."""
        return core_schema.is_instance_schema(cls)

    def __str__(self) -> str:
        return f"{self.backend or 'secret:'}#{self.key}"

    def __repr__(self) -> str:
        return f"Secret({self})"
