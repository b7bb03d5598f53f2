"""age files that a passphrase opens (https://c2sp.org/age, "scrypt"), with a work factor that is the same everywhere.

pyrage measures the machine instead: what a quick one has locked a slow or busy one refuses to open.
"""

from __future__ import annotations

import base64
import hmac
import os
import re

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

WORK_FACTOR = 18
"""age's own: about a second and 256 MiB for each try."""
HIGHEST = 22
"""age's own, too: beyond it, who made the file may want to keep this machine busy for an hour."""
CHUNK = 64 * 1024
_HEADER = re.compile(
    rb"(age-encryption\.org/v1\n-> scrypt ([A-Za-z0-9+/]{22}) ([1-9][0-9]?)\n([A-Za-z0-9+/]{43})\n---) "
    rb"([A-Za-z0-9+/]{43})\n"
)


class WrongPassphrase(ValueError):  # noqa: N818 - it reads as what happened
    """The passphrase does not open the file."""


class WorkFactorTooHigh(ValueError):  # noqa: N818
    """Its work factor is beyond what anybody needs. The message is the factor."""


class Damaged(ValueError):  # noqa: N818
    """It was cut off, damaged or altered."""


def encrypt(plain: bytes, passphrase: str) -> bytes:
    """Return the age file, not armored."""
    salt, file_key, nonce = os.urandom(16), os.urandom(16), os.urandom(16)
    wrapped = ChaCha20Poly1305(_derived(passphrase, salt, WORK_FACTOR)).encrypt(bytes(12), file_key, None)
    start = b"age-encryption.org/v1\n-> scrypt %s %d\n%s\n---" % (_base64(salt), WORK_FACTOR, _base64(wrapped))
    chunks = [plain[at : at + CHUNK] for at in range(0, len(plain), CHUNK)] or [b""]
    payload = ChaCha20Poly1305(_payload_key(file_key, nonce))
    body = b"".join(
        payload.encrypt(_nonce(number, last=number == len(chunks) - 1), chunk, None)
        for number, chunk in enumerate(chunks)
    )
    return start + b" " + _base64(_mac(file_key, start)) + b"\n" + nonce + body


def decrypt(file: bytes, passphrase: str) -> bytes:
    """Return what `encrypt`, or another program that keeps to the format, has locked.

    Raises `WrongPassphrase`, `WorkFactorTooHigh` and `Damaged`.
    """
    header = _HEADER.match(file)
    if header is None:
        raise Damaged
    start, salt, factor, wrapped, mac = header.groups()
    if int(factor) > HIGHEST:
        raise WorkFactorTooHigh(factor.decode())
    key = _derived(passphrase, _bytes(salt), int(factor))
    try:
        file_key = ChaCha20Poly1305(key).decrypt(bytes(12), _bytes(wrapped), None)
    except InvalidTag:
        raise WrongPassphrase from None
    if not hmac.compare_digest(_mac(file_key, start), _bytes(mac)):
        raise Damaged
    return _opened(file_key, file[header.end() :])


def _opened(file_key: bytes, content: bytes) -> bytes:
    nonce, body = content[:16], content[16:]
    payload, sealed = ChaCha20Poly1305(_payload_key(file_key, nonce)), CHUNK + 16
    chunks = [body[at : at + sealed] for at in range(0, len(body), sealed)]
    try:
        plain = [
            payload.decrypt(_nonce(number, last=number == len(chunks) - 1), chunk, None)
            for number, chunk in enumerate(chunks)
        ]
    except InvalidTag:
        raise Damaged from None
    if len(nonce) != 16 or not plain or (len(plain) > 1 and not plain[-1]):
        raise Damaged
    return b"".join(plain)


def _derived(passphrase: str, salt: bytes, factor: int) -> bytes:
    label = b"age-encryption.org/v1/scrypt"
    return Scrypt(salt=label + salt, length=32, n=2**factor, r=8, p=1).derive(passphrase.encode())


def _payload_key(file_key: bytes, nonce: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=nonce, info=b"payload").derive(file_key)


def _mac(file_key: bytes, start: bytes) -> bytes:
    key = HKDF(SHA256(), 32, salt=None, info=b"header").derive(file_key)
    return hmac.digest(key, start, "sha256")


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _base64(raw: bytes) -> bytes:
    return base64.b64encode(raw).rstrip(b"=")


def _bytes(text: bytes) -> bytes:
    return base64.b64decode(text + b"=" * (-len(text) % 4))
