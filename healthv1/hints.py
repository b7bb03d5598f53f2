"""`ENV` in a hint is the environment at hand: the host side, and claims, do not know what it is called."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TypeVar

from healthv1.errors import Fault
from healthv1.verify.finding import Finding

Hinting = TypeVar("Hinting", Fault, Finding)
_ENV = re.compile(r"\bENV\b")


def named(one: Hinting, environment: str) -> Hinting:
    """Return the fault or finding with a hint that can be run as it stands."""
    return replace(one, hint=_ENV.sub(lambda _: environment, one.hint))
