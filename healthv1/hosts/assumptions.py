"""Assumptions about a library beyond its documentation. Each is checked on the library itself, in microseconds."""

from __future__ import annotations

import inspect
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any


class Assumption(ABC):
    path: str
    """A module and what is in it: `pyinfra.api.host:Host.get_fact`."""

    def broken(self) -> str:
        """Return the difference from the assumption, in a few words; empty when it holds."""
        try:
            target = pkgutil.resolve_name(self.path)
        except (ImportError, AttributeError):
            return f"{self.name} is missing"
        try:
            difference = self.difference(target)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not as assumed
            difference = f"fails ({type(error).__name__}: {error})"
        return f"{self.name} {difference}" if difference else ""

    @property
    def name(self) -> str:
        return self.path.replace(":", ".")

    @abstractmethod
    def difference(self, target: Any) -> str:
        """Return the difference between `target` and the assumption; empty when it holds."""


@dataclass(frozen=True)
class Exists(Assumption):
    """It exists."""

    path: str

    def difference(self, target: Any) -> str:  # noqa: ARG002
        return ""


@dataclass(frozen=True)
class HasSignature(Assumption):
    """It is called with these arguments."""

    path: str
    arguments: str
    """Their names, as they are declared."""

    def difference(self, target: Any) -> str:
        parameters = inspect.signature(target).parameters.values()
        actual = ", ".join(f"{_STARS.get(parameter.kind, '')}{parameter.name}" for parameter in parameters)
        return "" if actual == self.arguments else f"takes ({actual}) instead of ({self.arguments})"


@dataclass(frozen=True)
class UsesNames(Assumption):
    """Its code, or that of an inner function, uses these names: a replacement under one of them has an effect."""

    path: str
    names: str

    def difference(self, target: Any) -> str:
        used = {name for code in codes(_code(target)) for name in (*code.co_names, *code.co_freevars)}
        lacking = [name for name in self.names.split() if name not in used]
        return f"does not use {', '.join(lacking)}" if lacking else ""


@dataclass(frozen=True)
class ClosesOver(Assumption):
    """A function within it closes over these variables."""

    path: str
    function: str
    variables: str

    def difference(self, target: Any) -> str:
        inner = next((code for code in codes(_code(target)) if code.co_name == self.function), None)
        if inner is None:
            return f"makes no {self.function}"
        lacking = [name for name in self.variables.split() if name not in inner.co_freevars]
        return f"makes a {self.function} that does not close over {', '.join(lacking)}" if lacking else ""


@dataclass(frozen=True)
class Behaves(Assumption):
    """It behaves in a certain way."""

    path: str
    how: str
    """As a sentence about it ends: that it does not "keep its sources in datas"."""
    probe: Callable[[Any], bool]

    def difference(self, target: Any) -> str:
        return "" if self.probe(target) else f"does not {self.how}"


def codes(code: CodeType) -> Iterator[CodeType]:
    """Yield the code, and that of all functions in it."""
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from codes(inner)


_STARS: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


def _code(target: Any) -> CodeType:
    function: Any = target.fget if isinstance(target, property) else inspect.unwrap(target)
    code: CodeType = function.__code__
    return code
