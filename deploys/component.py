"""What every component is made of: Settings, Secret, Check, Text, template()."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jinja2
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidatorFunctionWrapHandler, field_validator
from typing_extensions import Self

from deploys.faults import Fault, Refused, Wrong
from deploys.secret import Backend, Secret

__all__ = ["Check", "Port", "Secret", "Settings", "Text", "collecting_faults", "template"]

Port = Annotated[int, Field(ge=1, le=65535)]
Text = Callable[[], str]
"""Content that is rendered late, inside the operation that writes it; it ends in a newline."""

_collected: list[Fault] | None = None


@contextmanager
def collecting_faults() -> Iterator[list[Fault]]:
    """Collect the faults of settings in a list instead of raising, to report them all at once."""
    global _collected  # noqa: PLW0603 - settings are constructed by files that nobody can hand a list to
    _collected = []
    try:
        yield _collected
    finally:
        _collected = None


class Settings(BaseModel):
    """One component's values, checked when group_data is read and before anything connects."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, validate_default=True)

    @field_validator("*", mode="wrap")
    @classmethod
    def _refuse_sets(cls, value: object, handler: ValidatorFunctionWrapHandler) -> object:
        """Refuse a set for an ordered field: its order differs from process to process, and so would the plan."""
        parsed = handler(value)
        if isinstance(value, set | frozenset) and isinstance(parsed, list | tuple):
            raise ValueError("a set has no order: write a tuple")  # noqa: TRY004 - pydantic reports no other
        return parsed

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            faults = [
                _fault(type(self), error_details)
                for error_details in error.errors(include_url=False, include_input=False)
            ]
            if _collected is None:
                raise Refused(*faults) from None
            _collected.extend(faults)

    def bind(self, backend: Backend) -> Self:
        """Return a copy with the secrets bound to `backend`."""
        return self.model_copy(
            update={
                name: value.bind(backend)
                for name in type(self).model_fields
                if isinstance(value := getattr(self, name), Secret | Settings)
            }
        )

    def secrets(self) -> tuple[Secret, ...]:
        """Return the secrets, also those of settings within these."""
        values = [getattr(self, name) for name in type(self).model_fields]
        inner = [secret for value in values if isinstance(value, Settings) for secret in value.secrets()]
        return (*(value for value in values if isinstance(value, Secret)), *inner)


def _fault(model: type[Settings], error: Any) -> Fault:
    where = f"{_caller_outside_pydantic()}: {model.__name__}"
    field = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        suggestions = difflib.get_close_matches(field, model.model_fields, n=1, cutoff=0.6)
        setting_names = ", ".join(model.model_fields)
        return Fault(
            where,
            f"{field} is not a setting.",
            f"did you mean {suggestions[0]}?" if suggestions else f"known: {setting_names}",
        )
    if error["type"] == "missing":
        return Fault(where, f"{field} is missing.", f"set {field}")
    hint = getattr(error.get("ctx", {}).get("error"), "hint", "")
    what = f"{field}: {error['msg'].removeprefix('Value error, ')}." if field else f"{error['msg']}."
    return Fault(where, what, hint)


def _caller_outside_pydantic() -> str:
    """Return the file and line that constructed the settings: the place for the user to edit."""
    frame = sys._getframe(1)  # noqa: SLF001 - the only way to learn who called a constructor
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(("deploys.component", "pydantic")):
        frame = frame.f_back
    path = Path(frame.f_code.co_filename)
    return f"{path.parent.name}/{path.name}:{frame.f_lineno}"


@dataclass(frozen=True)
class Check:
    """One claim about a running host: true after a deploy, and false when the thing is broken."""

    claim: str
    """A statement that is true on a healthy host: "Nginx accepts its configuration"."""
    command: str
    """A POSIX shell command, run as root on the host. Exit 0 means that the claim holds."""
    hint: str
    """What to do when the claim does not hold."""


def _refuse_reference(value: object) -> object:
    """Refuse to render a `Secret`: that would deploy the reference instead of the value."""
    if isinstance(value, Secret):
        raise Refused(Fault(str(value), "A template prints the reference.", "write {{ secret.reveal() }}"))
    return value


_templates = jinja2.Environment(  # noqa: S701 - configuration files, not HTML
    loader=jinja2.FileSystemLoader(Path(__file__).parents[1] / "templates"),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    finalize=_refuse_reference,
)


def refuse_single_text(value: object) -> object:
    """Refuse a single string for a tuple of strings. Raises `Wrong`."""
    if isinstance(value, str):
        raise Wrong("it is one text", f'write a comma after it: ("{value}",)')
    return value


def template(name: str, **values: object) -> Text:
    """Return a function that renders `templates/<name>`."""
    return lambda: _templates.get_template(name).render(**values)


def program_files(folder: str) -> Callable[[], dict[str, str]]:
    """Return a function that reads the Python files in `templates/<folder>` as they are, by their path in it."""

    def read() -> dict[str, str]:
        loader = _templates.loader
        assert isinstance(loader, jinja2.FileSystemLoader)
        names = [name for name in loader.list_templates() if name.startswith(f"{folder}/") and name.endswith(".py")]
        return {name.removeprefix(f"{folder}/"): loader.get_source(_templates, name)[0] for name in names}

    return read
