"""The published form of a plan's JSON document: docs/plan.schema.json is what `python -m healthv1.plan` prints.

A number stands for one meaning of every member. Members are only ever added under it; whoever reads a document passes
over those that he does not know.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter

from healthv1.errors import Fault
from healthv1.plan.left import Left
from healthv1.plan.step import Step

SCHEMA = 2


@dataclass(frozen=True)
class PlanDocument:
    """Every change that an apply would make, on every host."""

    schema: Literal[2]
    environment: str
    """The name of the inventory."""
    made: str
    """When, in UTC, as ISO 8601 writes it."""
    revision: str
    """Of the project, by git; "+dirty" when the checkout differs from it. Empty outside of git."""
    toolkit: str
    """The version of healthv1 that made it."""
    hosts: tuple[str, ...]
    """Those that could be planned."""
    considered: int
    """How many operations were looked at, on all hosts."""
    changes: int
    """How many changes all steps make."""
    steps: tuple[Step, ...]
    """The operations that change something, in the order in which they run on each host."""
    faults: tuple[Fault, ...]
    """Why a host could not be planned. With any of them nothing is applied."""
    left: tuple[Left, ...] = ()
    """What was of the environment and is not named by it any more: it goes on serving, and no apply touches it."""
    warnings: tuple[Fault, ...] = ()
    """What is not as it should be, and no apply changes: the settings have to."""

    __pydantic_config__ = ConfigDict(use_attribute_docstrings=True)


documents = TypeAdapter(PlanDocument)


def schema() -> dict[str, Any]:
    properties = documents.json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **properties, "title": "A plan of healthv1"}


def as_text() -> str:
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
