"""A public certificate: what certbot keeps, what lies where it is served from, and what is served, are one.

All of it is read from the host, so a run that was killed between the steps is mended by the next.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.before import keep_aside
from deploys.facts.certificate import CertificateState, CoveredElsewhere, HostCertificate
from deploys.facts.nginx import NginxState
from deploys.foreign import Foreign
from deploys.marks import mark
from deploys.operations.change import Change, Commands
from deploys.operations.forecast import forecast
from deploys.operations.foreign import refuse_foreign
from deploys.sites import Site

DAY = 86400
ASKED = "certificate"
"""The mark of every name that we ever asked a certificate for."""


@operation()
def certificate(
    lineage: str,
    parts: tuple[str, ...],
    names: tuple[str, ...],
    asked: tuple[str, ...],
    server: str,
    file: str,
    ahead: int,
    fetch: str,
    serve: str,
    effect: str = "",
) -> Commands:
    """Have a certificate for `names` from the directory `server`, and have it served from `file`.

    + lineage: certbot's name for it. It is ours.
    + parts: the paths at which certbot keeps it.
    + asked: the names that we asked for earlier; others in it are somebody else's, and are refused.
    + ahead: days before its end when it is due, or a third of its life if that is less.
    + fetch: shell that gets it; `$1` is "create" or "renew".
    + serve: shell that puts it in its place and has it served.
    + effect: who is interrupted by that.
    """
    found = host.get_fact(CertificateState, lineage=lineage, domain=names[0], file=file)
    let_go = refuse_foreign(_lost(found, lineage, {*names, *asked}))
    action, why = due(found, names, server, ahead)
    was, becomes = _shown(found, names, server, action)
    change = Change("certificate", names[0], action, why, was=was, becomes=becomes, effect=effect)
    plan = forecast()
    changes = plan.reconcile(f"certificate {names[0]}", [change] if action else [])
    if not changes:
        host.noop(f"the certificate for {names[0]} is served")
        return
    plan.announce(changes[0])
    action = changes[-1].action
    noted = mark(ASKED, " ".join(sorted({*names, *asked})))
    kept = [keep_aside(thing.thing, parts, put_back=serve) for thing in let_go]
    steps = ([*kept, noted, fetch] if action in {"create", "renew"} else []) + [serve]
    yield StringCommand("sh", "-c", QuoteString("set -eu\n" + "\n".join(steps)), "certificate", action)


def due(found: HostCertificate, names: tuple[str, ...], server: str, ahead: int) -> tuple[str, str]:
    """Return what is to be done, "" for nothing, and why."""
    if not found.whole:
        return "create", "there is none"
    reason = _renewal(found, names, server, ahead)
    if reason:
        return "renew", reason
    if not found.placed:
        return "install", "another one is in its place" if found.file else "it is not in its place"
    return ("reload", "another one is served") if found.stale else ("", "")


def _shown(found: HostCertificate, names: tuple[str, ...], server: str, action: str) -> tuple[str, str]:
    """Return what certbot keeps and what it will keep; what is put in its place or served is the same one."""
    if action not in {"create", "renew"}:
        return "", ""
    was = f"{_listed(found.names)} from {found.server}" if found.whole else ""
    return was, f"{_listed(names)} from {server}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "no name"


def _renewal(found: HostCertificate, names: tuple[str, ...], server: str, ahead: int) -> str:
    if found.server != server:
        return f"it is from {found.server}"
    if found.names != set(names):
        return f"it is for {_listed(found.names)}"
    if found.left < min(ahead * DAY, found.life // 3):
        return f"it ends in {found.left // DAY} days" if found.left > 0 else "it has ended"
    return "" if found.authenticator == "webroot" else f"it is renewed by {found.authenticator or 'nothing'}"


def _lost(found: HostCertificate, lineage: str, ours: Collection[str]) -> tuple[Foreign, ...]:
    """Return the names in our certificate that somebody else needs. The host is asked only where there are some."""
    others = sorted(found.names - set(ours)) if found.whole else []
    if not others:
        return ()
    sites = host.get_fact(NginxState).served.sites
    covered = host.get_fact(CoveredElsewhere, ours=lineage)
    return tuple(lost(found, lineage, others, sites, covered))


def lost(
    found: HostCertificate, lineage: str, others: Iterable[str], sites: Iterable[Site], covered: Collection[str]
) -> Iterable[Foreign]:
    """Return those of `others`, names in our certificate that we never asked for, that would be missed.

    + covered: names that another certificate covers, too: only who serves ours for them would miss them.
    """
    ours = f"/etc/letsencrypt/live/{lineage}/"
    for name in others:
        serving = [site for site in sites if name in site.names]
        with_ours = [site.file for site in serving if any(path.startswith(ours) for path in site.certificates)]
        if with_ours or name not in covered:
            yield _missed(found, lineage, name, sorted({site.file for site in serving}), sorted(set(with_ours)))


def _missed(found: HostCertificate, lineage: str, name: str, serving: list[str], with_ours: list[str]) -> Foreign:
    by = f"{' and '.join(with_ours)} serves it with that" if with_ours else ""
    by = by or (f"{' and '.join(serving)} serves that name" if serving else "no site of Nginx's serves that name")
    what = f"The certificate {lineage} covers it as well as ours, and {by}."
    follows = "An apply would renew the certificate without it, and whoever asks for that name would be warned."
    own = f"; or give it a certificate of its own: {_own(found, lineage, name, with_ours)}"
    return Foreign(f"name {name}", what, follows, f"add it to stack.aliases{own}", adoptable=True)


def _own(found: HostCertificate, lineage: str, name: str, files: list[str]) -> str:
    """Return a command, to be run as it stands, that gets a certificate for the name as this one was got for it."""
    webroot = dict(found.webroots).get(name)
    how = ["--webroot", "--webroot-path", webroot] if webroot else ["--authenticator", found.authenticator]
    get = ["certbot", "certonly", "--non-interactive", "--server", found.server, *how]
    steps = [shlex.join([*get, "--cert-name", name, "--domain", name])]
    if files:
        change = f"s#/etc/letsencrypt/live/{lineage}/#/etc/letsencrypt/live/{name}/#"
        steps += [shlex.join(["sed", "-i", "--follow-symlinks", change, *files]), "nginx -t", "systemctl reload nginx"]
    return " && ".join(steps)
