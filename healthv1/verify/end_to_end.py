"""The whole stack at once: the canary flies from a visitor to the database, at each host of the edge.

It logs in once per host, and is counted as whoever verifies: of the login's rate limit nothing else is used.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection

from deploys.stack import Stack
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.session import Session, run
from healthv1.plan.finding import Finding
from healthv1.verify.canary import Canary, UnexpectedError, outcomes, query
from healthv1.verify.outside import visitors


def findings(session: Session, closed: Collection[str] = ()) -> list[Finding]:
    """Return the canary's findings at each host of the edge that is not `closed`, one after another."""
    database = [host for host in session.hosts if "database" in host.groups]
    return [
        finding
        for host in session.hosts
        if "edge" in host.groups and host.name not in closed
        for finding in outcomes(host.name, _canary(host, database[0] if database else None))
    ]


def _canary(host: Host, database: Host | None) -> Canary:
    stack: Stack = host.data.stack.bind(host.data.secrets)
    return Canary(visitors(host)[0], stack.verification_password.reveal(), lambda row: _row(database, stack, row))


def _row(database: Host | None, stack: Stack, row: str) -> str:
    if database is None:
        raise UnexpectedError("the database's host is not among those that are verified")
    psql = f"psql -XAtq -p {stack.postgresql_port} -d {stack.database} -c {shlex.quote(query(row))}"
    succeeded, output = run(database, f"cd / && runuser -u postgres -- {psql}")
    if not succeeded:
        raise UnexpectedError(f"the database did not answer: {output.stderr[:200]}")
    return str(output.stdout)
