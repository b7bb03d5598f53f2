"""The header of an age file, sealed for another key: who gets that key opens this file, and nothing else.

A host shall open one export in a drill, and the private key stays here. By https://age-encryption.org/v1 a header wraps
the file's key for each recipient, and is authenticated by that key; what follows it stays as it is.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
from collections.abc import Iterator, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from healthv1.secrets.age import PRIVATE, AgeError, generate_key

FIRST, STANZA, END = b"age-encryption.org/v1\n", b"-> X25519 ", b"---"
_LABEL = b"age-encryption.org/v1/X25519"
_NONCE = bytes(12)  # a wrapping key is used once
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def resealed(header: bytes, private: Sequence[str]) -> tuple[bytes, str]:
    """Return a header of the same file for a new key, and that key.

    + private: age keys, any of which opens the file. Raises `AgeError` when none does, or the header is not whole.
    """
    file_key = _file_key(header, [_scalar(key) for key in private if key.upper().startswith(PRIVATE)])
    if not hmac.compare_digest(_sealed(header.partition(b"\n" + END)[0] + b"\n", file_key), header):
        raise AgeError("It is damaged or was tampered with")
    new = generate_key()
    return _sealed(FIRST + _wrapped(file_key, _scalar(new).public_key()), file_key), new


def _file_key(header: bytes, keys: Sequence[X25519PrivateKey]) -> bytes:
    for share, body in _stanzas(header):
        for key in keys:
            public = X25519PublicKey.from_public_bytes(share)
            try:
                wrapping = _derived(key.exchange(public), share + key.public_key().public_bytes_raw(), _LABEL)
                return ChaCha20Poly1305(wrapping).decrypt(_NONCE, body, None)
            except (InvalidTag, ValueError):
                continue
    raise AgeError("The key does not open it")


def _stanzas(header: bytes) -> Iterator[tuple[bytes, bytes]]:
    lines = header.split(b"\n")
    for line, body in itertools.pairwise(lines):
        if line.startswith(STANZA):
            share, wrapped = _decoded(line.removeprefix(STANZA)), _decoded(body)
            if len(share) == len(wrapped) == 32:
                yield share, wrapped


def _wrapped(file_key: bytes, recipient: X25519PublicKey) -> bytes:
    """Return the lines that wrap a file's key for a recipient."""
    ephemeral = X25519PrivateKey.generate()
    share = ephemeral.public_key().public_bytes_raw()
    wrapping = _derived(ephemeral.exchange(recipient), share + recipient.public_bytes_raw(), _LABEL)
    body = ChaCha20Poly1305(wrapping).encrypt(_NONCE, file_key, None)
    return STANZA + _encoded(share) + b"\n" + _encoded(body) + b"\n"


def _sealed(lines: bytes, file_key: bytes) -> bytes:
    """Return a whole header: its lines, and their authentication."""
    code = hmac.new(_derived(file_key, b"", b"header"), lines + END, hashlib.sha256).digest()
    return lines + END + b" " + _encoded(code) + b"\n"


def _derived(secret: bytes, salt: bytes, label: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, label).derive(secret)


def _scalar(private: str) -> X25519PrivateKey:
    """Read a key that age wrote: Bech32, whose last six characters are a checksum."""
    values = [_BECH32.index(character) for character in private.strip().lower().rpartition("1")[2][:-6]]
    number = 0
    for value in values:
        number = number << 5 | value
    return X25519PrivateKey.from_private_bytes((number >> (5 * len(values) - 256)).to_bytes(32, "big"))


def _encoded(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError:
        return b""
