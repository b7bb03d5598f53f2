"""Every wrong or missing variable is reported, all at once, by name and never by value."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from healthv1_api.errors import SettingsError
from healthv1_api.settings.variables import Variables

V = TypeVar("V", bound=Variables)
OTHER_NAMES = {"LOG_LEVEL": "LOG_LEVEL (or RUST_LOG)"}
FIELDS = {"RUST_LOG": "log_level"}
HINT = "variables come from the environment; under systemd, from the files of LoadCredential=."


def read(kind: type[V], **overrides: object) -> V:
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return kind(**given)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as wrong:
        details = wrong.errors(include_url=False, include_context=False, include_input=False)
    raise SettingsError(*dict.fromkeys(_sentence(detail) for detail in details), hint=HINT)


def malformed(kinds: Iterable[type[Variables]], given: Mapping[str, object]) -> dict[str, str]:
    """Return by name why a value is refused that one of these reads. What they lack comes from the environment."""
    fields = {name: FIELDS.get(name, name.lower()) for name in given}
    known = {field for kind in kinds for field in kind.model_fields}
    faults = {name: "is not a variable of this release" for name, field in fields.items() if field not in known}
    faults |= {name: "must be text" for name, value in given.items() if not isinstance(value, str)}
    # As from the environment: what is empty is not given.
    texts = {fields[name]: value for name, value in given.items() if value and name not in faults}
    wrong = {_variable(detail).lower(): _fault(detail) for kind in kinds for detail in _details(kind, texts)}
    return faults | {name: wrong[field] for name, field in fields.items() if field in wrong}


def _details(kind: type[Variables], given: Mapping[str, object]) -> list[ErrorDetails]:
    try:
        kind(**given)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as wrong:
        return wrong.errors(include_url=False, include_context=False, include_input=False)
    return []


def _sentence(detail: ErrorDetails) -> str:
    variable = _variable(detail)
    return f"{OTHER_NAMES.get(variable, variable)}: {_fault(detail)}."


def _variable(detail: ErrorDetails) -> str:
    return str(detail["loc"][0]).upper()


def _fault(detail: ErrorDetails) -> str:
    if detail["type"] == "missing":
        return "is missing"
    return detail["msg"].removeprefix("Value error, ").replace("Input should", "should", 1)
