"""Our certificate authority: a key on the operator's side, and the certificates that it signs. No host is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploys.credentials.key_bytes import decode_key
from deploys.faults import Fault, Refused
from deploys.secret import Secret
from deploys.tls import LIFETIME, HostIdentity

# The same key has the same certificate for ever: hosts are told of it once, and what it signed goes on being trusted.
BEGINS, ENDS = (datetime(year, 1, 1, tzinfo=timezone.utc) for year in (2020, 2120))
BACKDATED = timedelta(hours=1)
"""Clocks of hosts may be behind."""
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of P-256: a private key is a number from 1 up to one less."""


@dataclass(frozen=True)
class Authority:
    """One version of the authority's key."""

    _key: ec.EllipticCurvePrivateKey = field(repr=False)
    certificate: x509.Certificate

    @property
    def text(self) -> str:
        return _pem(self.certificate)

    def signed(self, certificate: x509.Certificate) -> bool:
        with suppress(InvalidSignature, TypeError, ValueError):
            certificate.verify_directly_issued_by(self.certificate)
            return True
        return False

    def issue(self, identity: HostIdentity, public_key: str, now: datetime) -> str:
        """Return a certificate for a host's public key, both PEM. Raises `ValueError` when it is no P-256 key."""
        subject = p256_key(public_key)
        if subject is None:
            raise ValueError("it is no P-256 key")
        moment = now.replace(microsecond=0)
        builder = (
            x509.CertificateBuilder(
                issuer_name=self.certificate.subject, subject_name=_name(identity.name), public_key=subject
            )
            .serial_number(x509.random_serial_number())
            .not_valid_before(moment - BACKDATED)
            .not_valid_after(moment + LIFETIME)
        )
        for extension, critical in self.extensions(identity, subject):
            builder = builder.add_extension(extension, critical)
        return _pem(builder.sign(self._key, SHA256()))

    def extensions(
        self, identity: HostIdentity, subject: ec.EllipticCurvePublicKey
    ) -> Iterator[tuple[x509.ExtensionType, bool]]:
        """Yield what a certificate says besides, and whether who does not understand it must refuse."""
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        names = [x509.DNSName(name) for name in identity.names]
        addresses = [x509.IPAddress(ip_address(address)) for address in identity.addresses]
        yield x509.BasicConstraints(ca=False, path_length=None), True
        yield _key_usage(digital_signature=True), True
        yield x509.ExtendedKeyUsage(usages), False
        yield x509.SubjectAlternativeName([*names, *addresses]), False
        yield x509.SubjectKeyIdentifier.from_public_key(subject), False
        yield x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False


def authorities(ca_key: Secret) -> tuple[Authority, ...]:
    """Return the accepted versions' authorities: the one that signs first. Raises `Refused` when one is no key."""
    return tuple(_authority(decode_key(str(ca_key), version.value)) for version in ca_key.versions())


def trusted(ca_key: Secret) -> str:
    """Return the certificates that hosts trust, PEM, the oldest version first: a promotion changes nothing in it."""
    texts = zip(ca_key.numbers(), authorities(ca_key), strict=True)
    return "".join(authority.text for _, authority in sorted(texts, key=lambda numbered: numbered[0]))


def p256_key(text: str) -> ec.EllipticCurvePublicKey | None:
    """Return a public key in PEM, or None when it is no P-256 key."""
    with suppress(ValueError, UnsupportedAlgorithm):
        key = load_pem_public_key(text.encode())
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
            return key
    return None


def _authority(secret: bytes) -> Authority:
    key = _private_key(secret)
    public = key.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    # Keys have names of their own: a certificate leads to the one that signed it, also while hosts trust two.
    name = _name(f"Health V1 authority {identifier.digest.hex()[:8]}")
    builder = (
        x509.CertificateBuilder(name, name, public, serial_number=1, not_valid_before=BEGINS, not_valid_after=ENDS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True), critical=True)
        .add_extension(identifier, critical=False)
    )
    try:
        return Authority(key, builder.sign(key, SHA256(), ecdsa_deterministic=True))
    except UnsupportedAlgorithm:
        what = "It is built with an OpenSSL older than 3.2, which signs the same twice with different signatures."
        hint = "install the packages of requirements.lock"
        raise Refused(Fault("the Python package cryptography", what, hint)) from None


def _private_key(secret: bytes) -> ec.EllipticCurvePrivateKey:
    """Return the key that a secret stands for, drawn from 64 bits more than it has: none is likelier (FIPS 186-5)."""
    seed = HKDF(SHA256(), 40, salt=None, info=b"healthv1 certificate authority").derive(secret)
    return ec.derive_private_key(int.from_bytes(seed, "big") % (_ORDER - 1) + 1, ec.SECP256R1())


def _key_usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
