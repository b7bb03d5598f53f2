"""The certificate is there and is served, and a timer renews it."""

from __future__ import annotations

from pyinfra.api.deploy import deploy
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys import recovery
from deploys.certbot.checks import checks
from deploys.certbot.commands import ACCOUNT, CERTBOT, HOOK, WRAPPER, account_values, fetch, lineage_paths
from deploys.certbot.settings import PACKAGES, Certbot
from deploys.component import template
from deploys.facts.marks import Marks
from deploys.facts.probe import Succeeds
from deploys.foreign import Foreign
from deploys.marks import has_mark, mark
from deploys.operations.certificates import certificate
from deploys.operations.change import Change, Commands
from deploys.operations.claims import claim
from deploys.operations.files import absent, directory, file
from deploys.operations.foreign import refuse_foreign
from deploys.operations.packages import packages
from deploys.operations.shell import ensure
from deploys.operations.units import unit
from deploys.stack import Stack

AUTHORITY = "/etc/letsencrypt/directory-ca.pem"
BUNDLE = "/run/health-v1-directories.pem"
TRUST = f"cat /etc/ssl/certs/ca-certificates.crt {AUTHORITY} > {BUNDLE}.new && mv -f {BUNDLE}.new {BUNDLE}"
AUTHORITY_DROP_IN = "/etc/systemd/system/certbot.service.d/directory.conf"
ACCOUNT_DROP_IN = "/etc/systemd/system/certbot.service.d/known-account.conf"
LINEAGE = "health-v1"
"""Of our own name, so that an owner's certificate for the same domain stays where it is."""


@deploy("Certbot")
def deploy_certbot(settings: Certbot, stack: Stack) -> None:
    marks = host.get_fact(Marks)
    lineage = marks.get("lineage", LINEAGE)
    refuse_foreign_certbot(name="Look whose certbot it is")
    ensure(
        name="Mark the lineage as ours",
        change=Change("mark", "lineage", "create", becomes=lineage),
        test=has_mark("lineage", lineage),
        command=mark("lineage", lineage),
    )
    packages(name="Install certbot", names=PACKAGES)
    directory(name="Make a place for hooks", path=HOOK.rpartition("/")[0])
    hook = template("certbot/serve-certificate", stack=stack, lineage=lineage)
    file(name="Write the hook", path=HOOK, content=hook, mode="0755")
    if settings.directory_ca:
        _trust(settings.directory_ca, ours="lineage" in marks)
    else:
        absent(name="Remove what trusted another authority by hand", path=WRAPPER)
        absent(name="Remove what trusted it in renewals", path=AUTHORITY_DROP_IN)
    _account(settings, lineage)
    unit(name="Renew on time", unit="certbot.timer", effect="nobody is interrupted", restart_on=(AUTHORITY_DROP_IN,))
    certificate(
        name="Get and serve the certificate",
        lineage=lineage,
        parts=lineage_paths(lineage),
        names=stack.names,
        server=settings.directory_url,
        file=stack.certificate,
        ahead=settings.ahead,
        fetch=fetch(settings, stack, lineage),
        serve=HOOK,
        effect="Nginx reloads: nobody is interrupted",
    )
    claim("certbot", checks(settings, stack, lineage))


def _account(settings: Certbot, lineage: str) -> None:
    """Have a forgotten account made anew ahead of each renewal: certbot itself fails then, for ever."""
    values = {"settings": settings, "lineage": lineage, "trust": TRUST, "bundle": BUNDLE, **account_values(settings)}
    text = template("certbot/known-account", **values)
    file(
        name="Write how the account is made anew",
        path=ACCOUNT,
        content=text,
        mode="0755",
        test='sh -n "$1"',
        test_in_place=ACCOUNT,  # a host that has been without one for long need not wait for its next renewal
    )
    directory(name="Make a place for what renewals begin with", path=ACCOUNT_DROP_IN.rpartition("/")[0])
    text = template("certbot/known-account.conf", script=ACCOUNT)
    file(name="Have renewals begin with it", path=ACCOUNT_DROP_IN, content=text, test_in_place=recovery.RELOAD_SYSTEMD)


def _trust(authority: str, ours: bool) -> None:
    """Have certbot, and nothing else on the host, trust the directory's authority.

    + ours: an earlier apply wrote it, without noting that.
    """
    file(name="Write the directory's authority", path=AUTHORITY, content=lambda: authority, ours=ours)
    values = {"trust": TRUST, "bundle": BUNDLE}
    file(name="Trust it by hand", path=WRAPPER, content=template("certbot/certbot", **values), mode="0755")
    directory(name="Make a place for what renewals trust", path=AUTHORITY_DROP_IN.rpartition("/")[0])
    file(name="Trust it in renewals", path=AUTHORITY_DROP_IN, content=template("certbot/directory.conf", **values))


@operation()
def refuse_foreign_certbot() -> Commands:
    """Refuse a certbot that the package's would replace: one of snap's or pip's, in its place."""
    if host.get_fact(Succeeds, test=f"test -e {CERTBOT} && ! grep -qx {CERTBOT} /var/lib/dpkg/info/certbot.list"):
        what, consequence = "It is not the package's.", "An apply would install the package over it."
        way_out = f"run: mv {CERTBOT} /usr/local/bin/"
        refuse_foreign([Foreign(f"file {CERTBOT}", what, consequence, way_out)])
    host.noop("certbot is the package's, or there is none")
    yield from ()
