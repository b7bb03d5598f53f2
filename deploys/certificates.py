"""Whoever speaks TLS on a host, and is not root, has a key and a certificate for it there."""

from __future__ import annotations

from deploys.component import Secret
from deploys.operations.claims import claim
from deploys.operations.key_pairs import host_certificate, private_key
from deploys.tls import Identity, KeyFiles, certificate_checks


def deploy_certificate(identity: Identity, ca_key: Secret, group: str) -> KeyFiles:
    """Have a key of this host that `group` may read, and a certificate for it; return where they lie.

    Call it in the deploy of who needs it, behind what makes the group and ahead of the unit, which takes a renewed
    certificate up by `reload_on=(files.certificate,)`. The trusted ones lie at `tls.AUTHORITY`.
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
