"""An authority of the sandbox's own vouches for a server's addresses and names."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from healthv1.sandbox.keys import write_private


def write(directory: Path, addresses: list[str], names: tuple[str, ...] = ()) -> None:
    """Write ca.pem, cert.pem and key.pem. The authority's own key is thrown away: it never signs again."""
    authority, key = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    issuer, subject = _name("Sandbox authority"), _name([*names, *addresses][0])
    called = [*map(x509.DNSName, names), *(x509.IPAddress(ip_address(address)) for address in addresses)]
    root = _begin(issuer, issuer, authority).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    leaf = _begin(subject, issuer, key).add_extension(x509.SubjectAlternativeName(called), critical=False)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    write_private(directory / "key.pem", private)
    for path, builder in (("ca.pem", root), ("cert.pem", leaf)):
        signed = builder.sign(authority, SHA256())
        (directory / path).write_bytes(signed.public_bytes(Encoding.PEM))


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _begin(subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(tz=timezone.utc)
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
