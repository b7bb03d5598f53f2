"""Made-up secrets for hosts that do not exist: a plan can be shown, and nothing can be kept."""

from __future__ import annotations

import base64
import secrets

from deploys.secret import Secret
from healthv1.errors import Fault, SecretsError


class Rehearsal:
    """A backend that holds nothing."""

    def reveal(self, secret: Secret) -> str:
        return base64.b64encode(secrets.token_bytes(secret.entropy or 32)).decode()

    def missing(self, secrets: tuple[Secret, ...]) -> tuple[Secret, ...]:
        return tuple(secret for secret in secrets if secret.entropy)

    def store(self, secrets: tuple[Secret, ...]) -> None:
        count = len(secrets)
        raise SecretsError(Fault(str(self), f"A rehearsal keeps none of {count} secrets.", "apply to real hosts"))

    def __str__(self) -> str:
        return "rehearsal:"
