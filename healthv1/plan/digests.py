"""Keyed digests (HMAC) under the environment's plan key: they show whether two values are equal, and nothing else.

Without the key nobody can guess a short value by its digest.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import PurePath
from types import FunctionType, MethodType
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from deploys.secret import Secret

LENGTH = 32  # hexadecimal digits, 128 bits
TEXT_KINDS = (
    *(bytes, Enum, PurePath, UUID, Decimal, date, time, timedelta),
    *(IPv4Address, IPv6Address, IPv4Network, IPv6Network),
)
"""Types whose text is their canonical form."""
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")


class Digests:
    """Made with the plan key of one environment."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self.name = self._hmac("name", "")[:16]
        """The key's name: digests of different keys cannot be compared."""

    def of(self, value: object) -> str:
        return self._hmac("digest", json.dumps(canonical(value)))[:LENGTH]

    def seal(self, text: str) -> str:
        return self._hmac("seal", text)

    def _hmac(self, purpose: str, text: str) -> str:
        key = hmac.digest(self._key, f"healthv1 {purpose}".encode(), "sha256")
        return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


class Formless(ValueError):  # noqa: N818 - it reads as what happened
    """A value without canonical form: two processes would write it differently."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what, self.hint = what, hint
        self.path: list[str] = []
        """Where in the value it is: names of settings, arguments or keys."""


def canonical(value: object) -> Any:
    """Return the canonical form of `value` for JSON: the same for equal values. It reveals secrets: only for a digest.

    Content that is rendered late is rendered. Raises `Formless`.
    """
    return _canonical(value, reveal=True)


def canonical_unrevealed(value: object) -> Any:
    """Return the canonical form of settings with each secret as its name: nothing is revealed. Raises `Formless`."""
    return _canonical(value, reveal=False)


def refuse_formless(value: object) -> None:
    """Raise `Formless` for a value without canonical form. Reveals and renders nothing."""
    _canonical(value, reveal=None)


def _canonical(value: object, *, reveal: bool | None) -> Any:
    if value is None or (isinstance(value, bool | int | float | str) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Secret):
        return ["secret", value.key, *([part.number, part.value] for part in (value.versions() if reveal else ()))]
    parts = _named_parts(value)
    if parts is not None:
        return {name: _canonical_part(name, part, reveal) for name, part in sorted(parts.items())}
    if isinstance(value, list | tuple):
        return [_canonical(part, reveal=reveal) for part in value]
    if isinstance(value, set | frozenset):  # its own order differs from process to process
        return sorted((_canonical(part, reveal=reveal) for part in value), key=json.dumps)
    return _object(value, reveal)


def _named_parts(value: object) -> dict[str, Any] | None:
    """Return the named parts of a mapping, model or dataclass; None for other values."""
    if isinstance(value, Mapping):
        return {_key(key): part for key, part in value.items()}
    if isinstance(value, BaseModel):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {attribute.name: getattr(value, attribute.name) for attribute in fields(value)}
    return None


def _object(value: object, reveal: bool | None) -> Any:
    if isinstance(value, TEXT_KINDS):
        return [type(value).__qualname__, str(value)]
    if isinstance(value, FunctionType | MethodType | partial):
        if reveal is False:
            raise Formless("a function, of which nobody can tell what it does", "write what it returns")
        return None if reveal is None else _canonical(value(), reveal=reveal)
    shown = "" if isinstance(value, type) or type(value).__repr__ is object.__repr__ else repr(value)
    if not shown or _ADDRESS.search(shown):
        kind = f"the class {value.__name__}" if isinstance(value, type) else f"an object of {type(value).__name__}"
        hint = "write text, numbers, tuples or mappings, or give its class a __repr__ that tells what it is"
        raise Formless(f"{kind}, which is another in each run", hint)
    return [type(value).__qualname__, shown]


def _canonical_part(name: str, value: object, reveal: bool | None) -> Any:
    try:
        return _canonical(value, reveal=reveal)
    except Formless as error:
        error.path.insert(0, name)
        raise


def _key(key: object) -> str:
    if key is None or isinstance(key, (bool, int, float, str, *TEXT_KINDS)):
        return str(key)
    raise Formless(f"a mapping with a key of {type(key).__name__}", "use text for keys")
