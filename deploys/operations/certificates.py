"""A public certificate: what certbot keeps, what lies where it is served from, and what is served, are one.

All of it is read from the host, so a run that was killed between the steps is mended by the next.
"""

from __future__ import annotations

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.facts.certificate import Certificate, CertificateState
from deploys.operations.change import Change, Commands, announce, as_agreed

DAY = 86400


@operation()
def certificate(domain: str, server: str, file: str, ahead: int, fetch: str, serve: str, effect: str = "") -> Commands:
    """Have a certificate for `domain` from the directory `server`, and have it served from `file`.

    + ahead: days before its end when it is due, or a third of its life if that is less.
    + fetch: shell that gets it; `$1` is "create" or "renew".
    + serve: shell that puts it in its place and has it served.
    + effect: who is interrupted by that.
    """
    found = host.get_fact(CertificateState, certificate=domain, file=file)
    action, why = due(found, domain, server, ahead)
    was, becomes = _shown(found, domain, server, action)
    change = Change("certificate", domain, action, why, was=was, becomes=becomes, effect=effect)
    changes = as_agreed(f"certificate {domain}", [change] if action else [])
    if not changes:
        host.noop(f"the certificate for {domain} is served")
        return
    announce(changes[0])
    action = changes[-1].action
    steps = ([fetch] if action in {"create", "renew"} else []) + [serve]
    yield StringCommand("sh", "-c", QuoteString("set -eu\n" + "\n".join(steps)), "certificate", action)


def due(found: Certificate, domain: str, server: str, ahead: int) -> tuple[str, str]:
    """Return what is to be done, "" for nothing, and why."""
    if not found.whole:
        return "create", "there is none"
    reason = _renewal(found, domain, server, ahead)
    if reason:
        return "renew", reason
    if not found.placed:
        return "install", "another one is in its place" if found.file else "it is not in its place"
    return ("reload", "another one is served") if found.stale else ("", "")


def _shown(found: Certificate, domain: str, server: str, action: str) -> tuple[str, str]:
    """Return what certbot keeps and what it will keep; what is put in its place or served is the same one."""
    if action not in {"create", "renew"}:
        return "", ""
    was = f"{', '.join(sorted(found.names)) or 'no name'} from {found.server}" if found.whole else ""
    return was, f"{domain} from {server}"


def _renewal(found: Certificate, domain: str, server: str, ahead: int) -> str:
    if found.server != server:
        return f"it is from {found.server}"
    if found.names != {domain}:
        return f"it is for {', '.join(sorted(found.names)) or 'no name'}"
    if found.left < min(ahead * DAY, found.life // 3):
        return f"it ends in {found.left // DAY} days" if found.left > 0 else "it has ended"
    return "" if found.authenticator == "webroot" else f"it is renewed by {found.authenticator or 'nothing'}"
