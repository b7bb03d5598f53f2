"""Secrets that are missing are generated and kept before the first host needs them."""

from __future__ import annotations

from pyinfra.api.command import FunctionCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.component import Secret
from deploys.operations.change import Change, Commands
from deploys.operations.forecast import forecast
from deploys.secret import Backend


@operation()
def store_secrets(backend: Backend, secrets: tuple[Secret, ...]) -> Commands:
    """Have every secret in the backend; one that exists is never overwritten."""
    missing = backend.missing(secrets)
    if not missing:
        host.noop("every secret is in the backend")
        return
    for secret in missing:
        forecast().announce(Change("secret", str(secret.bind(backend)), "generate"))
    yield FunctionCommand(lambda: backend.store(missing), (), {})
