"""`healthv1 secrets policy`: what a token needs in Vault, and nothing more."""

from __future__ import annotations

from healthv1.commands.secrets import register
from healthv1.errors import Fault, Refused
from healthv1.rollout.losses import bind_secrets_unless_lost
from healthv1.secrets.vault import Vault


def policy(environment: str, name: str) -> str:
    """Return the Vault policy that lets a token deploy, rotate or read, and nothing else."""
    backend = register.backend_of(bind_secrets_unless_lost(environment))
    if not isinstance(backend, Vault):
        raise Refused(Fault(str(backend), "Policies are Vault's.", "see docs/secrets.md for other backends"))
    return backend.policy(name)
