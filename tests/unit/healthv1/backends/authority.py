"""A certificate authority for a server on loopback and for its clients."""

import datetime as dt
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class Authority:
    """Writes ca.pem, and NAME.pem with NAME.key for whoever it vouches for."""

    def __init__(self, place):
        place.mkdir(exist_ok=True)
        self.place = place
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")])
        self._write("ca", self._signed(self.name, self.key, x509.BasicConstraints(ca=True, path_length=0)), self.key)

    def issue(self, name):
        usage = ExtendedKeyUsageOID.SERVER_AUTH if name == "server" else ExtendedKeyUsageOID.CLIENT_AUTH
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        loopback = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        self._write(name, self._signed(subject, key, x509.ExtendedKeyUsage([usage]), loopback), key)

    def _signed(self, subject, key, *extensions):
        now, hour = dt.datetime.now(dt.timezone.utc), dt.timedelta(hours=1)
        made = x509.CertificateBuilder(
            self.name, subject, key.public_key(), x509.random_serial_number(), now - hour, now + hour
        )
        for extension in extensions:
            made = made.add_extension(extension, critical=False)
        return made.sign(self.key, hashes.SHA256())

    def _write(self, name, certificate, key):
        (self.place / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.place / f"{name}.key").write_bytes(plain)
