"""Which master key wrapped something can be told without the key: the API notes this much beside what it wraps."""

from __future__ import annotations

import base64
import binascii

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from deploys.faults import Fault, Refused
from deploys.secret import Secret

BYTES = 32


def fingerprint(key: bytes) -> str:
    """Return what the API keeps in `health.data_keys.master`."""
    return HKDF(SHA256(), 32, salt=None, info=b"healthv1 fingerprint").derive(key)[:8].hex()


def fingerprints(master_key: Secret) -> tuple[str, ...]:
    """Return those of the accepted versions, the active one's first. Raises `Refused` when one is no key."""
    return tuple(fingerprint(_decode_key(str(master_key), version.value)) for version in master_key.versions())


def _decode_key(reference: str, value: str) -> bytes:
    try:
        key = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != BYTES:
        hint = "bring back its right version in the backend"
        raise Refused(Fault(reference, f"It is not base64 of {BYTES} bytes.", hint))
    return key
