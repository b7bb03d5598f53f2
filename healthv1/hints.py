"""`ENV` in a hint is replaced by the environment's name, which the host side and the claims do not know."""

from __future__ import annotations

import re
from dataclasses import Field, replace
from typing import Any, ClassVar, Protocol, TypeVar


class Hinting(Protocol):
    """A fault, or the finding of a claim."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def hint(self) -> str: ...


H = TypeVar("H", bound=Hinting)
_ENV = re.compile(r"\bENV\b")


def with_environment(hinting: H, environment: str) -> H:
    """Return the fault or finding with a hint that can be run as it stands."""
    return replace(hinting, hint=_ENV.sub(lambda _: environment, hinting.hint))
