"""SCRAM-SHA-256 verifiers as PostgreSQL stores them: proof of a password, made without sending the password."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import stringprep
import unicodedata

ITERATIONS = 4096


def verifier(password: str, salt: str = "") -> str:
    """Return the verifier, with the salt and iterations of another one or with new ones.

    + salt: the start of a stored verifier, "SCRAM-SHA-256$4096:<salt>".
    """
    head = salt or f"SCRAM-SHA-256${ITERATIONS}:{_base64(os.urandom(16))}"
    iterations, _, encoded = head.partition("$")[2].partition(":")
    salted = hashlib.pbkdf2_hmac("sha256", saslprep(password).encode(), base64.b64decode(encoded), int(iterations))
    stored = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    return f"{head}${_base64(stored)}:{_base64(_hmac(salted, b'Server Key'))}"


def digest(verifier: str) -> str:
    """Return what is compared in place of a verifier."""
    return hashlib.sha256(verifier.encode()).hexdigest()


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


_PROHIBITED = (
    stringprep.in_table_a1,
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(password: str) -> str:
    """Normalize as clients do (RFC 4013). Like PostgreSQL, take a password that it forbids as it is."""
    if password.isascii():
        return password
    spaced = (" " if stringprep.in_table_c12(c) else c for c in password if not stringprep.in_table_b1(c))
    prepared = unicodedata.normalize("NFKC", "".join(spaced))
    forbidden = any(test(c) for c in prepared for test in _PROHIBITED)
    return password if forbidden or not prepared or not _has_one_direction(prepared) else prepared


def _has_one_direction(text: str) -> bool:
    """Whether right-to-left characters (RFC 3454, section 6) are not mixed with others."""
    if not any(stringprep.in_table_d1(c) for c in text):
        return True
    ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
    return ends and not any(stringprep.in_table_d2(c) for c in text)
