"""What our authority signs is taken by those who check it, and only for whom it was meant: OpenSSL and Python's TLS."""

import base64
import ssl
import subprocess
from contextlib import suppress
from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from deploys.credentials.authority import authorities, p256_key, trusted
from deploys.faults import Refused
from deploys.secret import Secret, Version
from deploys.tls import HostIdentity

NOW = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
DB = HostIdentity.of("db1", ["10.20.0.20", "203.0.113.20", "2001:DB8::20", "db1.example.com"])
KEYS = [bytes([number]) * 32 for number in range(4)]
PINNED = """-----BEGIN CERTIFICATE-----
MIIBhDCCASqgAwIBAgIBATAKBggqhkjOPQQDAjAnMSUwIwYDVQQDDBxIZWFsdGgg
VjEgYXV0aG9yaXR5IGRiMmRlM2IyMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAx
MDAwMDAwWjAnMSUwIwYDVQQDDBxIZWFsdGggVjEgYXV0aG9yaXR5IGRiMmRlM2Iy
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEyZPC5hBCdkZ/XUC6NX4AibF8b3J4
6ufSFTVCygBawrFsdLycL+0ee/+/lWmw47tJXbBdgfSbCf4OAZ4yS4kNuqNFMEMw
EgYDVR0TAQH/BAgwBgEB/wIBADAOBgNVHQ8BAf8EBAMCAgQwHQYDVR0OBBYEFNst
47KA7ZRohUHE6dmzoqe+pHvrMAoGCCqGSM49BAMCA0gAMEUCIQDm2dGpcEAN8wG8
gxl90DWsDEu63XttdftYCJpnW1X4pwIgfde/aYV57Q/aGezGpeflCmmM+HfLwwzn
p7gbpCDxqPo=
-----END CERTIFICATE-----
"""


class Held:
    """A backend that holds these versions of the key, the active one first."""

    def __init__(self, *numbers):
        self.numbers = numbers

    def versions(self, _secret):
        return tuple(Version(number, base64.b64encode(KEYS[number]).decode()) for number in self.numbers)


def ca(*numbers):
    return Secret("ca_key", 32, backend=Held(*numbers))


def public(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


KEY = ec.generate_private_key(ec.SECP256R1())


def issued(identity=DB, number=1, key=KEY, now=NOW):
    return authorities(ca(number))[0].issue(identity, public(key), now)


def verified(folder, certificate, roots, *options):
    """Return what OpenSSL says of a certificate: empty when it takes it."""
    (folder / "ca.pem").write_text(roots)
    (folder / "host.pem").write_text(certificate)
    at = ["-attime", str(int(NOW.timestamp()))]
    argv = ["openssl", "verify", "-x509_strict", "-CAfile", folder / "ca.pem", *at, *options, folder / "host.pem"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_one_key_has_one_certificate_for_ever():
    """Pinned: with another text, each apply of another version of ours would write to every host."""
    assert trusted(ca(1)) == PINNED
    assert authorities(ca(1))[0].text == PINNED
    assert trusted(ca(2)) != PINNED


def test_the_authority_may_sign_for_hosts_alone_and_lasts():
    found = authorities(ca(1))[0].certificate
    assert found.extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(True, 0)
    assert found.not_valid_after_utc.year == 2120
    assert found.subject == found.issuer != authorities(ca(2))[0].certificate.subject


@pytest.mark.parametrize("purpose", ["sslserver", "sslclient"])
def test_openssl_takes_it_for_each_name_and_address_and_both_ends(tmp_path, purpose):
    for name in ("db1", "db1.example.com"):
        assert not verified(tmp_path, issued(), trusted(ca(1)), "-purpose", purpose, "-verify_hostname", name)
    for address in DB.addresses:
        assert not verified(tmp_path, issued(), trusted(ca(1)), "-purpose", purpose, "-verify_ip", address)


def test_openssl_refuses_it_for_others_and_from_others(tmp_path):
    assert "mismatch" in verified(tmp_path, issued(), trusted(ca(1)), "-verify_hostname", "db2")
    assert "mismatch" in verified(tmp_path, issued(), trusted(ca(1)), "-verify_ip", "10.20.0.21")
    assert "local issuer" in verified(tmp_path, issued(number=2), trusted(ca(1)))


def test_what_a_host_signs_with_its_own_key_is_taken_by_nobody(tmp_path):
    host = x509.load_pem_x509_certificate(issued().encode())
    forged = x509.CertificateBuilder(
        issuer_name=host.subject,
        subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "db2")]),
        public_key=KEY.public_key(),
        serial_number=2,
        not_valid_before=NOW - timedelta(days=1),
        not_valid_after=NOW + timedelta(days=1),
    ).sign(KEY, SHA256())
    (tmp_path / "between.pem").write_text(issued())
    text = forged.public_bytes(Encoding.PEM).decode()
    assert verified(tmp_path, text, trusted(ca(1)), "-untrusted", tmp_path / "between.pem")


def test_it_lasts_a_year_and_clocks_may_be_an_hour_behind(tmp_path):
    found = x509.load_pem_x509_certificate(issued().encode())
    assert found.not_valid_before_utc == NOW - timedelta(hours=1)
    assert found.not_valid_after_utc == NOW + timedelta(days=365)
    for days, taken in ((-0.04, True), (-0.05, False), (364.9, True), (365.1, False)):
        at = str(int((NOW + timedelta(days=days)).timestamp()))
        assert (not verified(tmp_path, issued(), trusted(ca(1)), "-attime", at)) == taken, days


def test_while_it_is_rotated_both_are_trusted_and_the_active_one_signs(tmp_path):
    staged, promoted, retired = ca(1, 2), ca(2, 1), ca(2)
    assert trusted(staged) == trusted(promoted) == trusted(ca(1)) + trusted(ca(2))
    for signer in (1, 2):
        assert not verified(tmp_path, issued(number=signer), trusted(staged))
    assert authorities(staged)[0].text == trusted(ca(1))
    assert authorities(promoted)[0].text == trusted(ca(2))
    assert verified(tmp_path, issued(number=1), trusted(retired)), "what the former one signed is trusted no more"
    assert not verified(tmp_path, issued(number=2), trusted(retired))


def test_a_secret_that_is_no_key_is_refused_by_name():
    class Wrong:
        def versions(self, _secret):
            return (Version(1, "c2hvcnQ="),)

        def __str__(self):
            return "vault:m/p"

    with pytest.raises(Refused, match=r"vault:m/p#ca_key: It is not base64 of 32 bytes"):
        authorities(Secret("ca_key", backend=Wrong()))


def test_nothing_but_a_p256_key_is_signed():
    for other in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)):
        assert p256_key(public(other)) is None
        with pytest.raises(ValueError, match="no P-256 key"):
            issued(key=other)
    assert p256_key("") is p256_key("nonsense") is None


def test_an_authority_shows_nothing_of_its_key():
    authority = authorities(ca(1))[0]
    number = authority._key.private_numbers().private_value
    assert str(number) not in repr(authority)
    assert f"{number:x}" not in repr(authority)
    assert "_key" not in repr(authority)


def test_who_a_host_is_follows_from_the_inventory():
    assert DB.addresses == ("10.20.0.20", "2001:db8::20", "203.0.113.20")
    assert (DB.name, DB.names) == ("db1", ("db1", "db1.example.com"))
    bare = HostIdentity.of("203.0.113.9", ["", "203.0.113.9"])
    assert (bare.name, bare.names, bare.addresses) == ("203.0.113.9", (), ("203.0.113.9",))
    assert str(DB) == "db1, db1.example.com, 10.20.0.20, 2001:db8::20, 203.0.113.20"
    long = ".".join(["a" * 60] * 4)
    assert long in HostIdentity.of("db1", [long]).names, "a common name is short, other names need not be"
    assert HostIdentity.of("db1", reversed([*DB.addresses, *DB.names])) == DB


@pytest.mark.parametrize(
    "name", ["@local", "a b", "köln", "a" * 64 + "." + "b", "-a", "a..b", "a;reboot", "*.example.com"]
)
def test_a_name_that_cannot_stand_in_a_certificate_is_refused(name):
    with pytest.raises(Refused, match="cannot stand in a certificate"):
        HostIdentity.of(name, [])


def test_two_hosts_speak_tls_with_each_other_and_a_stranger_is_refused(tmp_path):
    """Python's own TLS, as strict as it goes, without a network."""
    server, client = _context(tmp_path, 1, server=True), _context(tmp_path, 1)
    assert _shaken(server, client, "db1")["subject"] == ((("commonName", "db1"),),)
    assert _shaken(server, client, "10.20.0.20")
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        _shaken(server, client, "db2")
    with pytest.raises(ssl.SSLError):
        _shaken(server, _context(tmp_path, 2), "db1")


def _context(folder, number, *, server=False):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=trusted(ca(number)))
    key = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    (folder / "pair.pem").write_text(issued(number=number, now=datetime.now(timezone.utc)) + key)
    context.load_cert_chain(folder / "pair.pem")
    return context


def _shaken(server, client, name):
    """Return the client's certificate as the server sees it, once both have what the other sent."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(to_client, to_server, server_hostname=name), server.wrap_bio(to_server, to_client, True)]
    for _ in range(4):
        for end in ends:
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return ends[1].getpeercert()
