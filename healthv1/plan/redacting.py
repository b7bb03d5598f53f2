"""A plan without any value that was ever revealed, before its texts are spelled out or escaped past recognition."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

from healthv1.output.redaction import redactor
from healthv1.plan.data import Plan


def redacted(plan: Plan) -> Plan:
    """Return the same plan. All its texts are looked through at once: there are many, and many forms of a secret."""
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
