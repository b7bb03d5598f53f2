"""Digests under the environment's key: they tell whether two values are one, and nothing of either.

Without the key nobody can try values until a digest fits, as one could for a short password.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel

from deploys.secret import Secret

LENGTH = 32  # hexadecimal digits, 128 bits


class Digests:
    """Made with the plan key of one environment."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self.name = self._made("name", "")[:16]
        """Which key it is: digests of different names say nothing of each other."""

    def of(self, value: object) -> str:
        return self._made("digest", json.dumps(canonical(value)))[:LENGTH]

    def seal(self, text: str) -> str:
        return self._made("seal", text)

    def _made(self, purpose: str, text: str) -> str:
        key = hmac.digest(self._key, f"healthv1 {purpose}".encode(), "sha256")
        return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def canonical(value: object) -> Any:
    """Return `value` as JSON knows it, the same for equal values whatever made them. Reveals secrets: only to digest.

    What is rendered late is rendered. An object of a kind that is not known is its type and its repr.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Secret):
        return ["secret", value.key, *([one.number, one.value] for one in value.versions())]
    if isinstance(value, Mapping):
        return {str(key): canonical(one) for key, one in sorted(value.items(), key=lambda item: str(item[0]))}
    if isinstance(value, list | tuple):
        return [canonical(one) for one in value]
    if isinstance(value, set | frozenset):
        return sorted((canonical(one) for one in value), key=json.dumps)
    return _object(value)


def _object(value: object) -> Any:
    if isinstance(value, BaseModel):
        return canonical(dict(value))
    if is_dataclass(value) and not isinstance(value, type):
        return canonical({one.name: getattr(value, one.name) for one in fields(value)})
    if callable(value):
        return canonical(value())
    return [type(value).__qualname__, str(value)]


def named(value: object) -> Any:
    """Return settings as they stand in group_data: a secret is its name, and nothing is revealed."""
    if isinstance(value, Secret):
        return ["secret", value.key]
    if isinstance(value, BaseModel):
        return {name: named(one) for name, one in value}
    if isinstance(value, tuple):
        return [named(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)
