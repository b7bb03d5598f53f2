"""Every change, on every host, before any of them is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import ValidationError
from typing_extensions import Self

from healthv1.errors import Fault, Refused
from healthv1.plan.left import Left
from healthv1.plan.schema import SCHEMA, documents
from healthv1.plan.step import Step


@dataclass(frozen=True)
class Plan:
    environment: str
    hosts: tuple[str, ...]
    considered: int
    """How many operations were looked at, on all hosts."""
    steps: tuple[Step, ...]
    """Those that change something, in the order in which they run."""
    faults: tuple[Fault, ...] = field(default=())
    made: str = ""
    """When, in UTC, as ISO 8601 writes it."""
    revision: str = ""
    """Of the project, by git; "+dirty" when the checkout differs from it. Empty outside of git."""
    toolkit: str = ""
    """The version of healthv1 that made it."""
    left: tuple[Left, ...] = ()
    """What was of the environment, and is not named by it any more. No apply touches it."""
    warnings: tuple[Fault, ...] = ()
    """What is not as it should be, and no apply changes: the settings have to."""

    @property
    def changes(self) -> int:
        return sum(len(step.changes) for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "environment": self.environment,
            "made": self.made,
            "revision": self.revision,
            "toolkit": self.toolkit,
            "hosts": list(self.hosts),
            "considered": self.considered,
            "changes": self.changes,
            "steps": [asdict(step) | {"changes": [asdict(part) for part in step.changes]} for step in self.steps],
            "faults": [asdict(fault) for fault in self.faults],
            "left": [asdict(part) | {"parts": list(part.parts)} for part in self.left],
            "warnings": [asdict(warning) for warning in self.warnings],
        }

    @classmethod
    def from_json(cls, document: object, where: str = "plan") -> Self:
        """Return the plan that `as_json` wrote. Raises `Refused` for anything else; `where` is what it came from."""
        _refuse_other_schemas(document, where)
        try:
            parsed = documents.validate_python(document)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            at = ".".join(str(part) for part in first["loc"])
            raise Refused(Fault(where, f"It is not a plan: {at}: {first['msg'].lower()}.", _again(document))) from None
        names = (
            "environment",
            "hosts",
            "considered",
            "steps",
            "faults",
            "made",
            "revision",
            "toolkit",
            "left",
            "warnings",
        )
        return cls(**{name: getattr(parsed, name) for name in names})


def _refuse_other_schemas(document: object, where: str) -> None:
    number = document.get("schema") if isinstance(document, Mapping) else None
    if type(number) is not int or not isinstance(document, Mapping) or "steps" not in document:
        raise Refused(Fault(where, "It is not a plan.", _again(document)))
    if number > SCHEMA:
        what = f"A newer healthv1 made it: its schema is {number}, and this one reads {SCHEMA}."
        raise Refused(Fault(where, what, "use the version that made it"))
    if number < SCHEMA:
        what = f"An older healthv1 made it: its schema is {number}, and this one reads {SCHEMA}."
        raise Refused(Fault(where, what, _again(document)))


def _again(document: object) -> str:
    environment = document.get("environment") if isinstance(document, Mapping) else None
    return (
        f"make it again: healthv1 plan {environment if isinstance(environment, str) and environment else 'ENV'} --json"
    )
