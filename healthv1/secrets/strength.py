"""Whether a value can hold the entropy that is asked of it. An upper bound: nobody can tell how a value was chosen."""

from __future__ import annotations

import base64
import binascii
import math
import string
import zlib

from deploys.environment import passwords
from deploys.secret import Secret
from healthv1.errors import Fault, Refused

TYPED_ENTROPY = 10  # bytes: what somebody types at a login that is limited in rate, and changes at once
CHARACTER_CLASSES = (string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation + " ")


def bits(value: str) -> float:
    """Return the most entropy, in bits, that a value of this length and alphabet can have."""
    raw = _decoded(value)
    if raw is not None:
        return min(8.0 * len(raw), _incompressible(raw))
    alphabet = sum(len(characters) for characters in CHARACTER_CLASSES if set(characters) & set(value)) or 1
    return min(len(value) * math.log2(max(alphabet, 2)), _incompressible(value.encode()))


def is_weak(value: str, secret: Secret) -> bool:
    """Whether `value` cannot hold the entropy that is asked of it: less of what a person types in by hand."""
    return bits(value) < 8 * required_bytes(secret)


def required_bytes(secret: Secret) -> int:
    """Return how many random bytes a value must be worth."""
    return min(secret.entropy, TYPED_ENTROPY) if secret.rotation == "by hand" else secret.entropy


def refuse_unusable(secret: Secret, value: str) -> None:
    """Raises `Refused` for a value that no reader takes, or that is weak."""
    where = str(secret)
    if not value or any(character in value for character in "\n\r\0"):
        raise Refused(Fault(where, "The value is empty, or has more than one line.", "give it as one line"))
    if "${" in value:
        raise Refused(Fault(where, "The value holds ${, which the API does not take.", "choose another value"))
    if secret.irreplaceable and len(_decoded(value) or b"") != secret.entropy:
        what = f"The value is not base64 of exactly {secret.entropy} bytes."
        raise Refused(Fault(where, what, f"use: openssl rand -base64 {secret.entropy}"))
    if is_weak(value, secret):
        what = f"The value cannot hold the entropy of {required_bytes(secret)} random bytes."
        raise Refused(Fault(where, what, f"let it be generated, or use: openssl rand -base64 {secret.entropy}"))
    weakness = passwords.password_fault(secret, value)
    if weakness:
        raise Refused(Fault(where, f"As a password it {weakness}.", "choose another value"))


def _decoded(value: str) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None


def _incompressible(raw: bytes) -> float:
    """Return what is left once repetitions are taken out; zlib's frame of 11 bytes is granted."""
    return 8.0 * len(zlib.compress(raw, 9))
