"""An entry of a backend: numbered versions, the active one, and the step of its rotation.

A rotation goes staged, promoted, retired, settled. Hosts are deployed from the state after each of the first three, so
that servers accept a value before a client uses it, and until no client does. Whatever kills a rotation, the state says
how to go on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Literal

from typing_extensions import Self

RotationStep = Literal["settled", "staged", "promoted", "retired"]


@dataclass(frozen=True)
class KeptVersion:
    """One version as a backend keeps it."""

    number: int
    value: str = field(repr=False)
    created: datetime | None
    """None when a person put it there by hand."""
    escrowed: str = ""
    """The digest of the escrow file that it was read back from; empty while there is none."""

    def as_document(self) -> dict[str, Any]:
        document = {"value": self.value, "created": self.created.isoformat() if self.created else None}
        return {**document, "escrowed": self.escrowed} if self.escrowed else document

    @classmethod
    def from_document(cls, number: int, document: Mapping[str, Any]) -> Self:
        created = document["created"] and datetime.fromisoformat(document["created"])
        return cls(number, _value(document["value"]), created, _text(document.get("escrowed", "")))


@dataclass(frozen=True)
class Entry:
    """One name's versions, ascending, and where its rotation stands."""

    versions: tuple[KeptVersion, ...]
    active: int
    step: RotationStep = "settled"
    since: datetime | None = None
    """When `step` was reached; None when nobody recorded it."""

    @classmethod
    def first(cls, value: str) -> Self:
        return cls((KeptVersion(1, value, now()),), 1, since=now())

    def version(self, number: int) -> KeptVersion:
        return next(kept for kept in self.versions if kept.number == number)

    @property
    def current(self) -> KeptVersion:
        return self.version(self.active)

    @property
    def newest(self) -> KeptVersion:
        return self.versions[-1]

    @property
    def accepted(self) -> tuple[KeptVersion, ...]:
        """The active version, then the one that servers accept besides while it is being rotated."""
        match self.step:
            case "staged":
                return self.current, self.newest
            case "promoted":
                return self.current, self.version(self._before(self.active))
            case _:
                return (self.current,)

    def staged(self, value: str) -> Self:
        """Add a version that servers accept besides."""
        return self._next(
            "settled", "staged", versions=(*self.versions, KeptVersion(self.newest.number + 1, value, now()))
        )

    def promoted(self) -> Self:
        """Have clients use the newest version, while servers accept the one before as well."""
        return self._next("staged", "promoted", active=self.newest.number)

    def retired(self, *, keep: bool) -> Self:
        """Have servers refuse the old version; `keep` it in the backend when data may still need it."""
        return self._next("promoted", "retired", versions=self.versions if keep else (self.current,))

    def settled(self) -> Self:
        """Note that every host was told."""
        return self._next("retired", "settled")

    def replaced(self, value: str, *, keep: bool = False) -> Self:
        """Have `value` in place of what is active, at once; hosts are not told yet."""
        new = KeptVersion(self.newest.number + 1, value, now())
        return self._next("settled", "retired", versions=(*self.versions, new) if keep else (new,), active=new.number)

    def escrowed(self, digest: str, numbers: Collection[int]) -> Self:
        """Note that these versions were read back from the escrow file of this digest."""
        noted = (replace(kept, escrowed=digest) if kept.number in numbers else kept for kept in self.versions)
        return replace(self, versions=tuple(noted))

    def _next(self, expected: RotationStep, step: RotationStep, **changes: Any) -> Self:
        if self.step != expected:
            raise ValueError(f"a secret that is {self.step} cannot become {step}")
        return replace(self, step=step, since=now(), **changes)

    def _before(self, number: int) -> int:
        return max(kept.number for kept in self.versions if kept.number < number)

    def as_document(self) -> dict[str, Any]:
        return {
            "versions": {str(kept.number): kept.as_document() for kept in self.versions},
            "active": self.active,
            "step": self.step,
            "since": self.since.isoformat() if self.since else None,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read an entry; a bare `value` is what a person put there by hand. Raises `ValueError` for anything else."""
        try:
            if set(document) == {"value"}:
                return cls((KeptVersion(1, _value(document["value"]), None),), 1)
            numbered = sorted((int(number), kept) for number, kept in document["versions"].items())
            since = document["since"] and datetime.fromisoformat(document["since"])
            versions = tuple(KeptVersion.from_document(number, kept) for number, kept in numbered)
            entry = cls(versions, document["active"], document["step"], since)
            assert entry.accepted
        except (AssertionError, AttributeError, KeyError, TypeError, ValueError, StopIteration):
            raise ValueError("it is not an entry of ours") from None
        return entry


def now() -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def _value(value: object) -> str:
    if not _text(value).encode():  # raises for what is no text in any encoding
        raise ValueError("empty")
    return _text(value)
