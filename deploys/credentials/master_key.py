"""Which master key wrapped something can be told without the key: the API notes this much beside what it wraps."""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from deploys.credentials.key_bytes import decode_key
from deploys.secret import Secret


def fingerprint(key: bytes) -> str:
    """Return what the API keeps in `health.data_keys.master`."""
    return HKDF(SHA256(), 32, salt=None, info=b"healthv1 fingerprint").derive(key)[:8].hex()


def fingerprints(master_key: Secret) -> tuple[str, ...]:
    """Return those of the accepted versions, the active one's first. Raises `Refused` when one is no key."""
    return tuple(fingerprint(decode_key(str(master_key), version.value)) for version in master_key.versions())
