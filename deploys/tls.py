"""How hosts prove to each other who they are: names, files and claims of their certificates. docs/pki.md tells more."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address

from deploys.component import Check
from deploys.faults import Fault, Refused

DIRECTORY = "/etc/health-v1/tls"
AUTHORITY = f"{DIRECTORY}/ca.pem"
"""The certificates that hosts trust: our authority's, and of two keys while it is being rotated."""

LIFETIME = timedelta(days=365)
RENEWED_AHEAD = timedelta(days=60)
"""An apply renews a certificate from so long before its end."""
CLAIMED = timedelta(days=30)
"""A certificate that ends earlier makes a claim fail."""

MAX_COMMON, MAX_NAME = 64, 253
"""Characters of a common name (RFC 5280, ub-common-name), and of any other (RFC 1035)."""
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")


@dataclass(frozen=True)
class HostIdentity:
    """Who a host is to others."""

    name: str
    """The common name: its name in the inventory. Whoever authorizes clients by it, as pgBackRest does, reads this."""
    names: tuple[str, ...]
    addresses: tuple[str, ...]

    @classmethod
    def of(cls, name: str, places: Iterable[str]) -> HostIdentity:
        """Return the identity of the host `name`. Raises `Refused` where it cannot stand in a certificate.

        + places: the addresses and names at which others reach it.
        """
        limits = {name: MAX_COMMON} | {place: MAX_NAME for place in places if place and place != name}
        Refused.unless(_name_fault(text, limit) for text, limit in limits.items() if not _is_name(text, limit))
        addresses = {address for text in limits if (address := _address(text))}
        return cls(name, tuple(sorted(text for text in limits if not _address(text))), tuple(sorted(addresses)))

    def as_part(self, part: str) -> HostIdentity:
        """Return who a service of the host is, which others let in and do not take for the host. Raises `Refused`."""
        name = f"{part}.{self.name}"
        Refused.unless([] if _is_name(name, MAX_COMMON) else [_name_fault(name, MAX_COMMON)])
        return HostIdentity(name, self.names, self.addresses)

    def __str__(self) -> str:
        return ", ".join(dict.fromkeys((self.name, *self.names, *self.addresses)))


@dataclass(frozen=True)
class Peer:
    """Another host, as one that speaks to it has to know it."""

    identity: HostIdentity
    address: str
    """Its private address."""


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        return ""


def _is_name(text: str, limit: int) -> bool:
    return len(text) <= limit and bool(_address(text) or _NAME.fullmatch(text))


def _name_fault(text: str, limit: int) -> Fault:
    what = f"It cannot stand in a certificate: it is no address, and no name of at most {limit} characters."
    return Fault(f"inventory: {text}", what, "name the host with letters, digits, dashes and dots")


@dataclass(frozen=True)
class KeyFiles:
    """A key of a host, which never leaves it, and the certificate for it."""

    group: str = "root"
    """Who may read the key besides root."""

    @property
    def _base(self) -> str:
        return f"{DIRECTORY}/{'host' if self.group == 'root' else self.group}"

    @property
    def key(self) -> str:
        return f"{self._base}.key"

    @property
    def certificate(self) -> str:
        return f"{self._base}.pem"


def authority_check(digest: str) -> Check:
    """Claim that the host trusts our authority and no other. `digest`: the SHA-256 of the file."""
    return Check(
        "The host trusts our authority, and no other, in what other hosts tell it",
        f'test "$(sha256sum < {AUTHORITY} | cut -c1-64)" = {digest}',
        "run: healthv1 apply ENV",
    )


def certificate_checks(files: KeyFiles, identity: HostIdentity) -> list[Check]:
    """Return what holds of a certificate for whoever meets this host."""
    key, certificate, whose = files.key, files.certificate, f"The certificate of {identity.name} for {files.group}"
    verify = f"openssl verify -x509_strict -no-CApath -no-CAstore -CAfile {AUTHORITY}"
    readers = "root" if files.group == "root" else f"root and {files.group}"
    names = [f"-verify_hostname {name}" for name in identity.names]
    names += [f"-verify_ip {address}" for address in identity.addresses]
    subject = f'test "$(openssl x509 -in {certificate} -noout -subject -nameopt multiline,-esc_msb)"'
    hint = "run: healthv1 apply ENV"
    return [
        Check(
            f"{whose} is signed by our authority, for its names and addresses",
            " && ".join(f"{verify} {name} {certificate}" for name in names)
            + f" && {subject} = \"$(printf 'subject=\\n    commonName                = {identity.name}')\"",
            hint,
        ),
        Check(
            f"{whose} is of its key, which only {readers} may read",
            f'key=$(openssl pkey -in {key} -pubout) && test "$key" = "$(openssl x509 -in {certificate} -noout -pubkey)"'
            f" && test \"$(stat -c '%a %U:%G' {key})\" = '640 root:{files.group}'",
            hint,
        ),
        Check(
            f"{whose} lasts {CLAIMED.days} days more",
            f"openssl x509 -in {certificate} -noout -checkend {int(CLAIMED.total_seconds())}",
            f"{hint}; an apply renews it from {RENEWED_AHEAD.days} days before its end",
        ),
    ]
