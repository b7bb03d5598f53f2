"""One tree of errors. Each carries its faults (where, what, hint); the command prints them and exits 1."""

from __future__ import annotations

from deploys.faults import Fault, Refused

__all__ = [
    "Fault",
    "HostError",
    "LockError",
    "Refused",
    "ReleaseError",
    "RestoreError",
    "SandboxError",
    "SecretsError",
    "StorageError",
]


class SandboxError(Refused):
    """A disposable host cannot be made, or is lost."""


class SecretsError(Refused):
    """A secrets backend is unreachable, sealed, or refuses."""


class HostError(Refused):
    """A host cannot be reached or cannot be used."""


class LockError(Refused):
    """Somebody else is deploying, or the lock was lost."""


class ReleaseError(Refused):
    """A release artifact cannot be built."""


class RestoreError(HostError):
    """A restore was refused, or failed. Its exit code tells why: docs/exit-codes.md."""

    def __init__(self, *faults: Fault, exit_code: int = 1) -> None:
        super().__init__(*faults)
        self.exit_code = exit_code


class StorageError(Refused):
    """A bucket cannot be reached, or refuses."""
