"""age (https://age-encryption.org), the only encryption we use on files: to public keys, or with a passphrase."""

from __future__ import annotations

import base64
import hashlib
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyrage
from pyrage import ssh, x25519

from healthv1.errors import Fault, SecretsError
from healthv1.secrets import passphrase as _passphrase

BEGIN, END = "-----BEGIN AGE ENCRYPTED FILE-----", "-----END AGE ENCRYPTED FILE-----"
Identity = Any  # of pyrage, which describes no types
PRIVATE = "AGE-SECRET-KEY-"


class AgeError(ValueError):
    """A sentence on what is wrong with a key or a file; it quotes neither."""


def generate_key() -> str:
    """Return a new private key."""
    return str(x25519.Identity.generate())


def public_key(private: str) -> str:
    """Return the public key of an age private key. Raises `AgeError`."""
    return str(_x25519(private).to_public())


def recipient(text: str) -> Any:
    """Read an age or SSH public key. Raises `AgeError`."""
    try:
        return (x25519 if text.startswith("age1") else ssh).Recipient.from_str(text.strip())
    except pyrage.RecipientError:
        raise AgeError("It is no public key of age (age1…), ssh-ed25519 or ssh-rsa") from None


def without_comment(text: str) -> str:
    """Return a public key as short as it may be: of an SSH key its type and its key."""
    return " ".join(text.split()[:2])


def fingerprint(recipient: str) -> str:
    """Return what tells a public key from others in a line: of an SSH key what `ssh-keygen -l` shows."""
    kind, _, key = without_comment(recipient).partition(" ")
    if not key:
        return kind
    digest = hashlib.sha256(base64.b64decode(key)).digest()
    return f"{kind} SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def refuse_wrong(recipients: Sequence[str], place: str) -> None:
    """Raises `SecretsError` with a fault for each that is no public key."""
    SecretsError.unless(_wrong(key, place) for key in recipients if not _is_recipient(key))


def _wrong(key: str, place: str) -> Fault:
    if PRIVATE in key.upper():  # it is not shown once more
        what, hint = "It is a private key.", "give its public key: age-keygen -y FILE"
        return Fault(f"{place}: recipient {PRIVATE}…", what, hint)
    hint = "give one of age (age1…), ssh-ed25519 or ssh-rsa"
    return Fault(f"{place}: recipient {key}", "It is no public key.", hint)


def _is_recipient(text: str) -> bool:
    try:
        return bool(recipient(text))
    except AgeError:
        return False


def encrypt(plain: bytes, recipients: Sequence[str]) -> str:
    """Encrypt to public keys, each of which can open it. Raises `AgeError`."""
    return _text(pyrage.encrypt(plain, [recipient(key) for key in recipients], armored=True))


def encrypt_with_passphrase(plain: bytes, passphrase: str) -> str:
    """Encrypt with a passphrase. Takes a second or two, so that guessing does as well."""
    encoded = base64.b64encode(_passphrase.encrypt(plain, passphrase)).decode()
    return "\n".join((BEGIN, *textwrap.wrap(encoded, 64), END))


def needs_passphrase(armored: str) -> bool:
    """Whether a passphrase opens it, and no key. Raises `AgeError`."""
    return b"\n-> scrypt " in _header(armored)


def decrypt(armored: str, identities: Sequence[Identity]) -> bytes:
    """Decrypt with any of some private keys. Raises `AgeError`."""
    _header(armored)
    try:
        return bytes(pyrage.decrypt(armored.encode(), identities))
    except pyrage.DecryptError as error:
        if "No matching keys" in str(error):
            raise AgeError("The key does not open it") from None
        raise AgeError("It is damaged or was tampered with") from None


def decrypt_with_passphrase(armored: str, passphrase: str) -> bytes:
    """Decrypt with a passphrase. Raises `AgeError`."""
    try:
        return _passphrase.decrypt(_content(armored), passphrase)
    except _passphrase.WrongPassphrase:
        raise AgeError("The passphrase is wrong") from None
    except _passphrase.WorkFactorTooHigh as factor:
        what = f"Its work factor is {factor}: more than {_passphrase.HIGHEST} would keep this machine busy for long"
        raise AgeError(what) from None
    except _passphrase.Damaged:
        raise AgeError("It is damaged or was tampered with") from None


def identities(text: str) -> list[Identity]:
    """Read private keys: a file of age-keygen, or an unencrypted SSH key. Raises `AgeError`."""
    keys = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if keys and keys[0].startswith(PRIVATE):
        return [_x25519(key) for key in keys]
    try:
        return [ssh.Identity.from_buffer(text.encode())]
    except pyrage.IdentityError as error:
        if "decrypted first" in str(error):
            raise AgeError("It is protected by a passphrase") from None
        raise AgeError("It is no private key of age (AGE-SECRET-KEY-…), ssh-ed25519 or ssh-rsa") from None


def recipient_of(key_file: Path) -> str:
    """Return the public key that belongs to a private key's file. Raises `AgeError` and `OSError`."""
    text = key_file.read_text(encoding="utf-8")
    keys = [line.strip() for line in text.splitlines() if line.startswith(PRIVATE)]
    if keys:
        return public_key(keys[0])
    try:
        return key_file.with_name(f"{key_file.name}.pub").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise AgeError("There is no public key beside it") from None


def _text(armored: bytes) -> str:
    return bytes(armored).decode().strip()


def _x25519(private: str) -> Any:
    try:
        return x25519.Identity.from_str(private)
    except pyrage.IdentityError:
        raise AgeError("It is no private key of age") from None


def _header(armored: str) -> bytes:
    """Return what stands before the ciphertext. Raises `AgeError`."""
    return _content(armored).partition(b"\n---")[0]


def _content(armored: str) -> bytes:
    """Return the file without its armor; what is cut off is told from what no key opens. Raises `AgeError`."""
    lines = armored.strip().splitlines()
    if not lines or lines[0] != BEGIN:
        raise AgeError("It is no age file")
    if lines[-1] != END:
        raise AgeError("Its end is missing")
    try:
        return base64.b64decode("".join(lines[1:-1]), validate=True)
    except ValueError:
        raise AgeError("It is damaged or was tampered with") from None
