"""Whoever speaks TLS on a host, and is not root, has a key and a certificate for it there."""

from __future__ import annotations

from deploys.component import Secret
from deploys.operations.claims import claim
from deploys.operations.key_pairs import host_certificate, private_key
from deploys.tls import HostIdentity, KeyFiles, certificate_checks


def deploy_certificate(identity: HostIdentity, ca_key: Secret, group: str) -> KeyFiles:
    """Have a key of this host that `group` may read, and a certificate for it; return where they lie.

    Call it in the deploy of who needs it, behind what makes the group and ahead of the unit. That has to take up both
    a renewed certificate and another authority: `reload_on=(files.certificate, tls.AUTHORITY)`. Whoever is let in by
    its common name, and shall not be taken for the host, gets an `identity` of another `name`.
    """
    files = KeyFiles(group)
    private_key(name=f"Make a key for {group}", path=files.key, certificate=files.certificate, group=group)
    host_certificate(
        name=f"Have a certificate for {group}",
        path=files.certificate,
        key=files.key,
        identity=identity,
        ca_key=ca_key,
    )
    claim("pki", certificate_checks(files, identity))
    return files
