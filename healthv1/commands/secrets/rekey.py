"""`healthv1 secrets rekey`: the encrypted file gets a new key."""

from __future__ import annotations

from healthv1.commands.secrets import register
from healthv1.errors import Fault, Refused
from healthv1.rollout.losses import bind_secrets_unless_lost
from healthv1.secrets.file import EncryptedFile


def rekey(environment: str) -> None:
    """Give the encrypted file a new key, for the recipients or the passphrase of now."""
    backend = register.backend_of(bind_secrets_unless_lost(environment))
    if not isinstance(backend, EncryptedFile):
        raise Refused(Fault(str(backend), "It has no key of its own.", "only an encrypted file has one"))
    backend.rekey()
