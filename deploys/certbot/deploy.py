"""The certificate is there and is served, and a timer renews it."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from deploys.certbot.checks import checks
from deploys.certbot.commands import HOOK, WRAPPER, fetch
from deploys.certbot.settings import PACKAGES, Certbot
from deploys.component import template
from deploys.operations.certificates import certificate
from deploys.operations.claims import claim
from deploys.operations.files import absent, directory, file
from deploys.operations.packages import packages
from deploys.operations.units import unit
from deploys.stack import Stack

AUTHORITY = "/etc/letsencrypt/directory-ca.pem"
DROP_IN = "/etc/systemd/system/certbot.service.d/directory.conf"


@deploy("Certbot")
def deploy_certbot(settings: Certbot, stack: Stack) -> None:
    packages(name="Install certbot", names=PACKAGES)
    directory(name="Make a place for hooks", path=HOOK.rpartition("/")[0])
    file(name="Write the hook", path=HOOK, content=template("certbot/serve-certificate", stack=stack), mode="0755")
    if settings.directory_ca:
        _trust(settings.directory_ca)
    else:
        absent(name="Remove what trusted another authority by hand", path=WRAPPER)
        absent(name="Remove what trusted it in renewals", path=DROP_IN)
    unit(name="Renew on time", unit="certbot.timer", effect="nobody is interrupted", restart_on=(DROP_IN,))
    certificate(
        name="Get and serve the certificate",
        domain=stack.domain,
        server=settings.directory_url,
        file=stack.certificate,
        ahead=settings.ahead,
        fetch=fetch(settings, stack),
        serve=HOOK,
        effect="Nginx reloads: nobody is interrupted",
    )
    claim("certbot", checks(settings, stack))


def _trust(authority: str) -> None:
    """Have certbot, and nothing else on the host, trust the directory's authority."""
    file(name="Write the directory's authority", path=AUTHORITY, content=authority)
    file(
        name="Trust it by hand",
        path=WRAPPER,
        content=template("certbot/certbot", authority=AUTHORITY),
        mode="0755",
    )
    directory(name="Make a place for what renewals trust", path=DROP_IN.rpartition("/")[0])
    file(name="Trust it in renewals", path=DROP_IN, content=template("certbot/directory.conf", authority=AUTHORITY))
