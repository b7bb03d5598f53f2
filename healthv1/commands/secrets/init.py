"""`healthv1 secrets init`: what is missing is generated."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from healthv1.commands.secrets import register
from healthv1.commands.secrets.register import SCHEMA
from healthv1.rollout.losses import bind_secrets_unless_lost


@dataclass(frozen=True)
class Initialised:
    environment: str
    generated: tuple[str, ...]
    kept: tuple[str, ...]
    """Those that were there, and stay as they are."""
    wanting: tuple[str, ...]
    """Those that only a person can supply."""

    def as_json(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}


def init(environment: str) -> Initialised:
    """Generate what is missing; overwrite nothing, also when another does the same at this moment."""
    in_use = bind_secrets_unless_lost(environment)
    backend = register.backend_of(in_use)
    entries = backend.entries(secret.key for secret in in_use.secrets)
    missing = backend.missing(in_use.secrets)
    backend.store(missing)
    return Initialised(
        environment,
        tuple(secret.key for secret in missing),
        tuple(name for name, entry in entries.items() if entry),
        tuple(secret.key for secret in in_use.secrets if not secret.entropy and not entries[secret.key]),
    )
