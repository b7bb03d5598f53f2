"""Redacts a plan before its texts are escaped: an escaped secret would not be recognised."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

from healthv1.output.redaction import redactor
from healthv1.plan.data import Plan


def redacted(plan: Plan) -> Plan:
    """Return the redacted plan. All its texts are redacted at once: there are many, and a secret has many forms."""
    texts: list[str] = []

    def gather(text: str) -> str:
        texts.append(text)
        return text

    _map_texts(plan, gather)
    between = f"\0{secrets.token_hex(8)}\0"
    clean = iter(redactor.redact(between.join(texts)).split(between))
    clean_plan: Plan = _map_texts(plan, lambda _: next(clean))
    return clean_plan


def _map_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, tuple):
        return tuple(_map_texts(part, change) for part in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{part.name: _map_texts(getattr(value, part.name), change) for part in fields(value)})
    return value
