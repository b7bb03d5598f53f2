"""Made-up secrets for hosts that do not exist: a plan can be shown, and nothing can be kept."""

from __future__ import annotations

from typing_extensions import Self

from deploys.secret import Secret, Version
from healthv1.errors import Fault, SecretsError
from healthv1.secrets.backend import generate


class Rehearsal:
    """A backend that holds nothing beyond this process."""

    def __init__(self) -> None:
        self._made: dict[str, Version] = {}

    def __copy__(self) -> Self:
        """Stay one: pyinfra copies group_data whenever it is read."""
        return self

    def versions(self, secret: Secret) -> tuple[Version, ...]:
        return (self._made.setdefault(secret.key, Version(1, generate(secret.entropy or 32))),)

    def missing(self, secrets: tuple[Secret, ...]) -> tuple[Secret, ...]:
        return tuple(secret for secret in secrets if secret.entropy)

    def store(self, secrets: tuple[Secret, ...]) -> None:
        count = len(secrets)
        raise SecretsError(Fault(str(self), f"A rehearsal keeps none of {count} secrets.", "apply to real hosts"))

    def unexported(self, secrets: tuple[Secret, ...]) -> tuple[Fault, ...]:  # noqa: ARG002
        return ()

    def __str__(self) -> str:
        return "rehearsal:"
