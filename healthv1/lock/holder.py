"""The claim with which an operator takes the lock, and its description for others."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from deploys.facts.lock import LockRecord
from healthv1.errors import Fault, LockError
from healthv1.output.redaction import redactor
from healthv1.workspace import provenance

LONGEST = 200  # characters of a reason


@dataclass(frozen=True)
class Terms:
    """How the user wants the lock."""

    reason: str = ""
    wait: float = 0
    """Seconds to wait for whoever holds it."""


@dataclass(frozen=True)
class LockClaim:
    environment: str
    command: str
    lease: int
    """Seconds."""
    reason: str = ""
    holder: str = field(default_factory=provenance.name)
    token: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def text(self) -> str:
        """The record: one line for each field, also when the reason had several."""
        fields = {
            name: getattr(self, name) for name in ("holder", "command", "reason", "environment", "token", "lease")
        }
        return "\n".join(f"{name}={_line(str(value))}" for name, value in fields.items())


class HeldBySomebody(LockError):  # noqa: N818 - it reads as what happened
    """Somebody else holds the lock. Nothing was changed."""

    def __init__(self, host: str, held: LockRecord) -> None:
        self.held = held
        hint = (
            f"wait for it with --lock-wait SECONDS; it is free {held.lease} s after the last sign of life of "
            f"{held.holder}. Who is sure that nothing runs there: healthv1 lock release {held.environment}"
        )
        super().__init__(Fault(host, f"The lock is held by {describe(held)}.", hint))


def describe(held: LockRecord) -> str:
    reason = f' "{held.reason}"' if held.reason else ""
    return f"{held.holder}: {held.command} of {held.environment}{reason}, for {held.held} s, heard of {held.age} s ago"


def _line(text: str) -> str:
    text = redactor.redact(text)  # before clipping: half a secret would not be recognised
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())[:LONGEST]
