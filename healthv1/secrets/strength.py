"""Whether a value can hold the entropy that is asked of it. An upper bound: nobody can tell how a value was chosen."""

from __future__ import annotations

import base64
import binascii
import math
import string
import zlib

CLASSES = (string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation + " ")


def bits(value: str) -> float:
    """Return the most entropy, in bits, that a value of this length and alphabet can have."""
    raw = _decoded(value)
    if raw is not None:
        return min(8.0 * len(raw), _incompressible(raw))
    alphabet = sum(len(one) for one in CLASSES if set(one) & set(value)) or 1
    return min(len(value) * math.log2(max(alphabet, 2)), _incompressible(value.encode()))


def is_weak(value: str, entropy: int) -> bool:
    """Whether `value` cannot have been made from `entropy` random bytes."""
    return bits(value) < 8 * entropy


def _decoded(value: str) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None


def _incompressible(raw: bytes) -> float:
    """Return what is left once repetitions are taken out; zlib's frame of 11 bytes is granted."""
    return 8.0 * len(zlib.compress(raw, 9))
