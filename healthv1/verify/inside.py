"""Every component's claims, tried on its hosts over the connection that is already open."""

from __future__ import annotations

import gevent
from gevent.pool import Pool
from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.host import Host

from deploys.component import Check
from deploys.operations.claims import claims_of
from healthv1.engine.session import Session
from healthv1.verify.finding import Finding

AT_ONCE = 6  # checks per host; sshd takes ten sessions on one connection
TIMEOUT = 30  # seconds


def findings(session: Session) -> list[Finding]:
    """Return one finding per claim, in the order of hosts and claims."""
    found: dict[str, list[Finding]] = {}

    def on(host: Host) -> None:
        pool = Pool(AT_ONCE)
        tries = [pool.spawn(_try, host, component, check) for component, check in claims_of(host)]
        gevent.joinall(tries, raise_error=True)
        found[host.name] = [one.value for one in tries]

    session.on_each(on)
    return [finding for host in session.hosts for finding in found[host.name]]


def _try(host: Host, component: str, check: Check) -> Finding:
    command = StringCommand("sh", "-c", QuoteString(check.command))
    try:
        holds, output = host.run_shell_command(command, _sudo=True, _timeout=TIMEOUT)
    except TimeoutError:
        return Finding(host.name, component, check.claim, False, f"no answer within {TIMEOUT} s", check.hint)
    return Finding(host.name, component, check.claim, holds, "" if holds else output.output, check.hint)
