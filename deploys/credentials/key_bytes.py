"""A generated secret as the bytes that it stands for."""

from __future__ import annotations

import base64
import binascii

from deploys.faults import Fault, Refused

KEY_BYTES = 32


def decode_key(reference: str, value: str) -> bytes:
    """Return the bytes of a key of `KEY_BYTES`. Raises `Refused` when it is none."""
    try:
        key = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        hint = "bring back its right version in the backend"
        raise Refused(Fault(reference, f"It is not base64 of {KEY_BYTES} bytes.", hint))
    return key
