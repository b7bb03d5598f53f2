"""The master key wraps and unwraps other keys, and does nothing else with its own bytes."""

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

NONCE = 12  # bytes, random: a key may seal 2**32 times (NIST SP 800-38D, 8.3)
KEY = 32  # bytes


class WrongKeyError(Exception):
    """Something is wrapped under another master key."""


class MasterKey:
    def __init__(self, key: SecretStr) -> None:
        raw = base64.b64decode(key.get_secret_value())
        self._wrapping = AESGCM(_derived(raw, b"healthv1 wrapping"))
        self.fingerprint = _derived(raw, b"healthv1 fingerprint")[:8].hex()

    def wrap(self, key: bytes, purpose: str) -> bytes:
        nonce = os.urandom(NONCE)
        return nonce + self._wrapping.encrypt(nonce, key, purpose.encode())

    def unwrap(self, wrapped: bytes, purpose: str) -> bytes:
        """Raises WrongKeyError."""
        try:
            return self._wrapping.decrypt(wrapped[:NONCE], wrapped[NONCE:], purpose.encode())
        except InvalidTag:
            raise WrongKeyError from None


class MasterKeys:
    """One wraps what is new. While it is replaced, another opens too; instances differ in which of them is which."""

    def __init__(self, key: SecretStr, also_accepted: SecretStr | None = None) -> None:
        self.active = MasterKey(key)
        others = [MasterKey(also_accepted)] if also_accepted else []
        self._accepted = {each.fingerprint: each for each in [*others, self.active]}

    def unwrap(self, wrapped: bytes, fingerprint: str, purpose: str) -> bytes:
        """Raises WrongKeyError."""
        if fingerprint not in self._accepted:
            raise WrongKeyError
        return self._accepted[fingerprint].unwrap(wrapped, purpose)


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), KEY, salt=None, info=purpose).derive(key)
