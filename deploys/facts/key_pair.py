"""A private key of a host, by its public half, and the certificate beside it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from pyinfra.api.facts import FactBase

# -passin: a key that has a passphrase is none that a service could use, and openssl would ask for it.
_STATE = r"""if [ -f "$key" ]; then echo "key_rights=0$(stat -c '%a %U:%G' -- "$key")"
  openssl pkey -passin pass: -in "$key" -pubout | sed 's/^/public_key=/'; fi
if [ -f "$certificate" ]; then echo "certificate_rights=0$(stat -c '%a %U:%G' -- "$certificate")"
  found=$(openssl x509 -in "$certificate"); printf '%s\n' "$found" | sed 's/^/certificate=/'
  [ "$found" = "$(cat -- "$certificate")" ] && echo alone=yes; fi"""


@dataclass(frozen=True)
class KeyPair:
    public_key: str = ""
    """PEM; empty when there is no key, or one that cannot be read without a passphrase."""
    key_rights: str = ""
    """Mode and owners, as in "0640 root:postgres"; empty when there is no file."""
    certificate: str = ""
    """PEM; empty when there is none."""
    certificate_rights: str = ""
    is_alone: bool = False
    """Nothing else is in the certificate's file."""


class KeyPairState(FactBase[KeyPair]):
    """A `KeyPair`. The private key stays on the host."""

    default = KeyPair

    def command(self, key: str, certificate: str) -> str:
        paths = f"key={shlex.quote(key)} certificate={shlex.quote(certificate)}"
        return f"{paths}\n({_STATE}) 2>/dev/null || true"

    def process(self, output: list[str]) -> KeyPair:
        values: dict[str, str] = {}
        for name, _, line in (line.partition("=") for line in output):
            values[name] = f"{values[name]}{line}\n" if name in values else f"{line}\n"
        return KeyPair(
            public_key=values.get("public_key", ""),
            key_rights=values.get("key_rights", "").strip(),
            certificate=values.get("certificate", "").lstrip(),
            certificate_rights=values.get("certificate_rights", "").strip(),
            is_alone="alone" in values,
        )
