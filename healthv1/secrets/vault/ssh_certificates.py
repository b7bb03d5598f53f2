"""A key of one run: made in memory, signed by Vault or OpenBao for a few minutes, and written nowhere."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from threading import Lock

import paramiko
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    SSHCertificate,
    load_ssh_public_identity,
)
from typing_extensions import Self

from healthv1.errors import Fault, SecretsError
from healthv1.secrets.vault import Engine, Vault

SHORTEST_VALIDITY = 30  # seconds that a certificate must still last to be used for a connection


@dataclass(frozen=True)
class Credential:
    """A private key with its certificate."""

    key: paramiko.Ed25519Key = field(repr=False)
    pem: bytes = field(repr=False)
    """The private key as OpenSSH writes it. It stays in memory."""
    certificate: str
    user: str
    until: int
    """Seconds since 1970."""

    @property
    def is_usable(self) -> bool:
        return self.until - time.time() > SHORTEST_VALIDITY

    def __str__(self) -> str:
        return f"the certificate for {self.user} (until {_clock(self.until)})"


class Signed:
    """The SSH engine at `mount` of the Vault `by` signs a key with its `role`: once per run and account."""

    def __init__(
        self, by: Vault, role: str, mount: str = "ssh", minutes: int = 10, authorities: tuple[str, ...] = ()
    ) -> None:
        """`authorities`: the public keys that hosts trust; empty: the one that the engine signs with now."""
        self._engine = Engine(by, mount, "ssh")
        self._role = role
        self._minutes = minutes
        self._given = authorities
        self._lock = Lock()  # several hosts ask at once
        self._made: dict[str, Credential] = {}
        self._known: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self._engine}/sign/{self._role}"

    def __repr__(self) -> str:
        return f"Signed({self})"

    def __copy__(self) -> Self:
        """Stay one: pyinfra copies group_data whenever it is read, and a key is signed once."""
        return self

    def authorities(self) -> tuple[str, ...]:
        with self._lock:
            if not self._known:
                self._known = self._given or (self._engine.public_key(),)
            return self._known

    def credential(self, user: str) -> Credential:
        """Return a key that is signed for `user`. Raises `SecretsError`."""
        with self._lock:
            if user not in self._made or not self._made[user].is_usable:
                self._made[user] = self._signed(user)
            return self._made[user]

    def _signed(self, user: str) -> Credential:
        private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        answer = self._engine.write(
            f"sign/{self._role}",
            public_key=public,
            valid_principals=user,
            cert_type="user",
            ttl=f"{self._minutes}m",
        )
        text = answer["data"]["signed_key"].strip()
        until = self._checked_expiry(text, public, user)
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        key = paramiko.Ed25519Key.from_private_key(io.StringIO(pem.decode()))
        key.load_certificate(text)
        return Credential(key, pem, text, user, until)

    def _checked_expiry(self, text: str, public: str, user: str) -> int:
        """Return until when the certificate is valid. Raises `SecretsError` when it would not open an account."""
        certificate = load_ssh_public_identity(text.encode())
        now = time.time()
        if not isinstance(certificate, SSHCertificate) or not _is_of(certificate, public):
            raise self._unusable(
                "What it signed is no certificate for our key", "check that the mount is an SSH engine"
            )
        if user.encode() not in certificate.valid_principals:
            raise self._unusable(f"It does not name {user}", f"let the role's allowed_users have {user}")
        if certificate.valid_before <= now + SHORTEST_VALIDITY:
            what = f"It ends at {_clock(certificate.valid_before)}, and it is {_clock(now)} here"
            raise self._unusable(what, "compare this machine's clock with Vault's, or give the role a longer ttl")
        if certificate.valid_after > now:
            what = f"It begins at {_clock(certificate.valid_after)}, and it is {_clock(now)} here"
            raise self._unusable(what, "compare this machine's clock with Vault's")
        return int(certificate.valid_before)

    def _unusable(self, what: str, hint: str) -> SecretsError:
        return SecretsError(Fault(str(self), f"The certificate is of no use. {what}.", hint))


def _is_of(certificate: SSHCertificate, public: str) -> bool:
    try:
        certificate.verify_cert_signature()
    except InvalidSignature:
        return False
    signed_key = certificate.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return signed_key == public


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
