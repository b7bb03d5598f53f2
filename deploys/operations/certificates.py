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
from deploys.facts.certificate import CertificateState, HostCertificate, OtherCertificateNames
from deploys.facts.marks import Marks
from deploys.facts.nginx import NginxState
from deploys.foreign import Foreign
from deploys.marks import mark
from deploys.operations.change import Change, Commands
from deploys.operations.forecast import forecast
from deploys.operations.foreign import refuse_foreign
from deploys.sites import Site

DAY = 86400
REQUESTED_MARK = "certificate"
"""The mark of every name that we ever asked a certificate for."""


@operation()
def certificate(
    lineage: str,
    parts: tuple[str, ...],
    names: tuple[str, ...],
    server: str,
    file: str,
    ahead: int,
    fetch: str,
    serve: str,
    effect: str = "",
) -> Commands:
    """Have a certificate for `names` from the directory `server`, and have it served from `file`.

    Names that we never requested are somebody else's. They are refused.

    + lineage: certbot's name for it. It is ours.
    + parts: the paths at which certbot keeps it.
    + ahead: days before its end when it is due, or a third of its life if that is less.
    + fetch: shell that gets it; `$1` is "create" or "renew".
    + serve: shell that puts it in its place and has it served.
    + effect: who is interrupted by that.
    """
    state = host.get_fact(CertificateState, lineage=lineage, domain=names[0], file=file)
    # Asked here and not an argument: the mark changes with the first apply, and what is to be done does not.
    # Up to revision df5e1d9 the lineage had the name of the domain that was asked for.
    requested = {*names, lineage, *host.get_fact(Marks).get(REQUESTED_MARK, "").split()}
    adopted = refuse_foreign(_names_at_risk(state, lineage, requested))
    action, why = next_action(state, names, server, ahead)
    was, becomes = _describe_change(state, names, server, action)
    change = Change("certificate", names[0], action, why, was=was, becomes=becomes, effect=effect)
    plan = forecast()
    changes = plan.reconcile(f"certificate {names[0]}", [change] if action else [])
    if not changes:
        host.noop(f"the certificate for {names[0]} is served")
        return
    plan.announce(changes[0])
    action = changes[-1].action
    note_names = mark(REQUESTED_MARK, " ".join(sorted(requested)))
    backups = [keep_aside(conflict.thing, parts, put_back=serve) for conflict in adopted]
    steps = ([*backups, note_names, fetch] if action in {"create", "renew"} else []) + [serve]
    yield StringCommand("sh", "-c", QuoteString("set -eu\n" + "\n".join(steps)), "certificate", action)


def next_action(state: HostCertificate, names: tuple[str, ...], server: str, ahead: int) -> tuple[str, str]:
    """Return what is to be done, "" for nothing, and why."""
    if not state.exists:
        return "create", "there is none"
    reason = _renewal_reason(state, names, server, ahead)
    if reason:
        return "renew", reason
    if not state.is_installed:
        return "install", "another one is in its place" if state.file_exists else "it is not in its place"
    return ("reload", "another one is served") if state.other_is_served else ("", "")


def _describe_change(state: HostCertificate, names: tuple[str, ...], server: str, action: str) -> tuple[str, str]:
    """Return what certbot keeps and what it will keep; what is put in its place or served is the same one."""
    if action not in {"create", "renew"}:
        return "", ""
    was = f"{_join_names(state.names)} from {state.server}" if state.exists else ""
    return was, f"{_join_names(names)} from {server}"


def _join_names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "no name"


def _renewal_reason(state: HostCertificate, names: tuple[str, ...], server: str, ahead: int) -> str:
    if state.server != server:
        return f"it is from {state.server}"
    if state.names != set(names):
        return f"it is for {_join_names(state.names)}"
    if state.seconds_left < min(ahead * DAY, state.lifetime // 3):
        return f"it ends in {state.seconds_left // DAY} days" if state.seconds_left > 0 else "it has ended"
    return "" if state.authenticator == "webroot" else f"it is renewed by {state.authenticator or 'nothing'}"


def _names_at_risk(state: HostCertificate, lineage: str, own_names: Collection[str]) -> tuple[Foreign, ...]:
    """Return the names in our certificate that somebody else needs. The host is asked only where there are some."""
    foreign_names = sorted(state.names - set(own_names)) if state.exists else []
    if not foreign_names:
        return ()
    sites = host.get_fact(NginxState).sites.sites
    covered = host.get_fact(OtherCertificateNames, lineage=lineage)
    return tuple(name_conflicts(state, lineage, foreign_names, sites, covered))


def name_conflicts(
    state: HostCertificate, lineage: str, names: Iterable[str], sites: Iterable[Site], covered: Collection[str]
) -> Iterable[Foreign]:
    """Return those of `names`, names in our certificate that we never asked for, that would be missed.

    + covered: names that another certificate covers, too: only who serves ours for them would miss them.
    """
    own_folder = f"/etc/letsencrypt/live/{lineage}/"
    for name in names:
        serving = [site for site in sites if name in site.names]
        with_ours = [site.file for site in serving if any(path.startswith(own_folder) for path in site.certificates)]
        if with_ours or name not in covered:
            yield _name_conflict(state, lineage, name, sorted({site.file for site in serving}), sorted(set(with_ours)))


def _name_conflict(
    state: HostCertificate, lineage: str, name: str, serving: list[str], with_ours: list[str]
) -> Foreign:
    served_by = f"{' and '.join(with_ours)} serves it with that" if with_ours else ""
    served_by = served_by or (
        f"{' and '.join(serving)} serves that name" if serving else "no site of Nginx's serves that name"
    )
    what = f"The certificate {lineage} covers it as well as ours, and {served_by}."
    consequence = "An apply would renew the certificate without it, and whoever asks for that name would be warned."
    alternative = f"; or give it a certificate of its own: {_own_certificate_command(state, lineage, name, with_ours)}"
    return Foreign(f"name {name}", what, consequence, f"add it to stack.aliases{alternative}", adoptable=True)


def _own_certificate_command(state: HostCertificate, lineage: str, name: str, files: list[str]) -> str:
    """Return a command, to be run as it stands, that gets a certificate for the name as this one was got for it."""
    webroot = dict(state.webroots).get(name)
    authenticator = ["--webroot", "--webroot-path", webroot] if webroot else ["--authenticator", state.authenticator]
    certbot = ["certbot", "certonly", "--non-interactive", "--server", state.server, *authenticator]
    steps = [shlex.join([*certbot, "--cert-name", name, "--domain", name])]
    if files:
        change = f"s#/etc/letsencrypt/live/{lineage}/#/etc/letsencrypt/live/{name}/#"
        steps += [shlex.join(["sed", "-i", "--follow-symlinks", change, *files]), "nginx -t", "systemctl reload nginx"]
    return " && ".join(steps)
