"""Every wrong or missing variable is reported, all at once, by name and never by value."""

from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from healthv1_api.errors import SettingsError
from healthv1_api.settings.variables import Variables

V = TypeVar("V", bound=Variables)
OTHER_NAMES = {"LOG_LEVEL": "LOG_LEVEL (or RUST_LOG)"}
HINT = "variables come from the environment; under systemd, from the files of LoadCredential=."


def read(kind: type[V], **overrides: object) -> V:
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return kind(**given)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as wrong:
        details = wrong.errors(include_url=False, include_context=False, include_input=False)
    raise SettingsError(*dict.fromkeys(_sentence(detail) for detail in details), hint=HINT)


def _sentence(detail: ErrorDetails) -> str:
    variable = str(detail["loc"][0]).upper()
    name = OTHER_NAMES.get(variable, variable)
    if detail["type"] == "missing":
        return f"{name}: is missing."
    return f"{name}: {detail['msg'].removeprefix('Value error, ').replace('Input should', 'should', 1)}."
