"""Which master key wrapped something can be told without the key: the API notes this much beside what it wraps."""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from deploys.credentials.key_bytes import decode_key
from deploys.secret import Secret

BYTES = 32
NONCE = 12  # bytes, ahead of what is wrapped


def fingerprint(key: bytes) -> str:
    """Return what the API keeps in `health.data_keys.master`."""
    return HKDF(SHA256(), 32, salt=None, info=b"healthv1 fingerprint").derive(key)[:8].hex()


def opens(key: str, wrapped: bytes, purpose: str) -> bool:
    """Whether a master key, as base64, opens what the API wrapped with it for a purpose."""
    try:
        raw = base64.b64decode(key, validate=True)
        wrapping = HKDF(SHA256(), BYTES, salt=None, info=b"healthv1 wrapping").derive(raw)
        AESGCM(wrapping).decrypt(wrapped[:NONCE], wrapped[NONCE:], purpose.encode())
    except (binascii.Error, InvalidTag, ValueError):
        return False
    return True


def fingerprints(master_key: Secret) -> tuple[str, ...]:
    """Return those of the accepted versions, the active one's first. Raises `Refused` when one is no key."""
    return tuple(fingerprint(decode_key(str(master_key), version.value)) for version in master_key.versions())
