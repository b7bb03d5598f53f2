"""Checks the hosts that stay: whether they still use the leaving host, and which hold the database."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from deploys.stack import LOOPBACK, Stack
from healthv1.errors import Fault, HostError, Refused
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.scripts import run_script, ssh_hosts
from healthv1.hosts.session import Session
from healthv1.lock.acquire import run_concurrently
from healthv1.retire.choosing import Chosen

TIMEOUT = 20.0  # seconds
_FIND_USES = """grep -lsF {} -- /etc/pgbouncer/*.ini /etc/*pgbouncer*/*.ini {}/.env \\
  /etc/nginx/sites-enabled/*health-v1* /etc/nginx/conf.d/*health-v1* /etc/health-v1/backup.json | sort -u; true"""
_PATIENTS = "select count(*) from health.patients"


def refuse_in_use(session: Session, leaving: Host, chosen: Chosen) -> None:
    """Raise `Refused` when a host still serves with the one that leaves: it has to be applied to first."""
    stack = _stack(leaving)

    def files_using(host: Host) -> list[str]:
        is_leaving = host is leaving
        if is_leaving and not chosen.named:
            return []
        words = uses_of(chosen, stack, [LOOPBACK] if is_leaving else chosen.member.addresses)
        patterns = " ".join(f"-e {shlex.quote(word)}" for word in words)
        return run_script(host, _FIND_USES.format(patterns, shlex.quote(stack.home)), TIMEOUT).split() if words else []

    files_by_host = run_concurrently(ssh_hosts(session.hosts), files_using)
    Refused.unless(
        Fault(
            f"{host.name}: {file}",
            f"It still uses {chosen.member.name}.",
            f"healthv1 apply {session.environment}, then retire {chosen.member.name}",
        )
        for host, files in files_by_host.items()
        for file in files
    )


def uses_of(chosen: Chosen, stack: Stack, addresses: Iterable[str]) -> list[str]:
    """Return the texts by which a configuration refers to the leaving parts."""
    words = []
    for address in sorted(addresses):
        at = f"[{address}]" if ":" in address else address
        if "database" in chosen.leaving:
            words += [f"host={address} port={stack.postgresql_port}", f"@{at}:{stack.redis_port}"]
        if "api" in chosen.leaving:
            words += [f"server {at}:{port}" for port in stack.instances]
        if "repository" in chosen.leaving:
            words.append(f'"{address}"')
    return words


def database_holders(session: Session, leaving: Host) -> list[str]:
    """Return the other hosts whose database has at least as many patients as that of the one that leaves."""
    stack = _stack(leaving)
    playing = [host for host in session.hosts if host is not leaving and "database" in host.groups]
    counts = {host.name: _patient_count(host, stack) for host in playing}
    least = _patient_count(leaving, stack) or 0
    return [name for name, count in counts.items() if count is not None and count >= least]


def _patient_count(host: Host, stack: Stack) -> int | None:
    """None where there is no such database, or it is at rest."""
    postgres = "cd /; setpriv --reuid=postgres --regid=postgres --init-groups"
    query = f"{postgres} psql -XAtqw -p {stack.postgresql_port} -d {stack.database} -c {shlex.quote(_PATIENTS)}"
    try:
        output = run_script(host, f"({query}) 2>/dev/null || true", TIMEOUT).strip()
    except HostError:
        return None
    return int(output) if output.isdigit() else None


def _stack(host: Host) -> Stack:
    stack = host.data.get("stack")
    if isinstance(stack, Stack):
        return stack
    raise Refused(Fault(f"group_data for {host.name}", "stack is missing.", "add: stack = Stack(…)"))
