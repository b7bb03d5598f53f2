"""A secret is a reference until the one moment an operation made for secrets reveals it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from pydantic_core import CoreSchema, core_schema

from deploys.faults import Fault, Refused


@dataclass(frozen=True)
class Version:
    """One value that a secret has, or had: version 1 is the first."""

    number: int
    value: str = field(repr=False)


class Backend(Protocol):
    """Where secrets are kept, on the operator's side."""

    def versions(self, secret: Secret) -> tuple[Version, ...]:
        """Return the active version, then those that are accepted besides. Reads once per run. Raises `Refused`."""

    def missing(self, secrets: tuple[Secret, ...]) -> tuple[Secret, ...]:
        """Return those that the backend does not hold yet. Raises `Refused`."""

    def store(self, secrets: tuple[Secret, ...]) -> None:
        """Generate and keep those that are missing; never overwrite. Raises `Refused`."""

    def unexported(self, secrets: tuple[Secret, ...]) -> tuple[Fault, ...]:
        """Return a fault for each that data are lost with, and that was never exported for escrow. Raises `Refused`."""


Rotation = Literal["overlapping", "replacing", "by hand"]


@dataclass(frozen=True)
class Secret:
    """One name in the secrets backend."""

    key: str
    entropy: int = 0
    """Random bytes to generate (base64-encoded) when it is missing; 0 when only a person can supply it."""
    used_by: tuple[str, ...] = ()
    """The components that are told it."""
    rotation: Rotation = "replacing"
    """Overlapping: for a while the old and the new value are both accepted, so that nobody is refused meanwhile."""
    irreplaceable: bool = False
    """Whether data are lost with it: it is not used before it was exported for escrow, and its versions are kept."""
    backend: Backend | None = None

    def bind(self, backend: Backend) -> Secret:
        return replace(self, backend=backend)

    def versions(self) -> tuple[Version, ...]:
        """Return what servers accept: the active version first, then at most one other while it is being rotated.

        Only operations made for secrets call this. Raises `Refused`.
        """
        if self.backend is None:
            raise Refused(Fault(str(self), "It has no backend.", "set `secrets` in group_data"))
        return self.backend.versions(self)

    def numbers(self) -> tuple[int, ...]:
        """Return the numbers of the accepted versions, the active one first: no secret. Raises `Refused`."""
        return tuple(version.number for version in self.versions())

    def is_missing(self) -> bool:
        """Whether the backend does not hold it, so that it would be generated. Raises `Refused`."""
        return self.backend is not None and bool(self.backend.missing((self,)))

    def reveal(self) -> str:
        """Return the active value. Only operations made for secrets call this. Raises `Refused`."""
        return self.versions()[0].value

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> CoreSchema:
        """A reference is taken as it is; without this pydantic would look into it as into any dataclass."""
        return core_schema.is_instance_schema(cls)

    def __str__(self) -> str:
        return f"{self.backend or 'secret:'}#{self.key}"

    def __repr__(self) -> str:
        return f"Secret({self})"
