"""The host trusts our authority, and has a key and a certificate that prove who it is to other hosts."""

from __future__ import annotations

from functools import partial

from pyinfra.api.deploy import deploy

from deploys.certificates import deploy_certificate
from deploys.credentials.authority import trusted
from deploys.operations.claims import claim
from deploys.operations.files import directory, file
from deploys.operations.key_pairs import refuse_lost_authority
from deploys.operations.packages import packages
from deploys.pki.checks import checks
from deploys.pki.settings import Pki
from deploys.tls import AUTHORITY, DIRECTORY, HostIdentity


@deploy("PKI")
def deploy_pki(settings: Pki, identity: HostIdentity) -> None:
    """Have what every host has. Others than root get keys of their own: `deploy_certificate`."""
    refuse_lost_authority(name="Try that the authority's key is in the backend", path=AUTHORITY, ca_key=settings.ca_key)
    packages(name="Install OpenSSL", names=("openssl",))
    directory(name="Make a place for certificates", path=DIRECTORY)
    file(name="Write whom to trust", path=AUTHORITY, content=partial(trusted, settings.ca_key))
    deploy_certificate(identity=identity, ca_key=settings.ca_key, group="root")
    claim("pki", checks(trusted(settings.ca_key)))
