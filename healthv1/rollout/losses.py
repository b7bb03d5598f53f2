"""Refuses a missing secrets backend that hosts were deployed from: its secrets have to be restored, not generated."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from deploys.facts.changed_by import ChangedBy
from deploys.facts.marks import Marks
from deploys.facts.record import Record
from healthv1.errors import Fault, HostError, SecretsError
from healthv1.hosts.pyinfra_names import FactBase, Host, QuoteString, StringCommand
from healthv1.hosts.scripts import connect, inactive_hosts, run_read_only
from healthv1.hosts.secrets_in_use import SecretsInUse, bind_secrets
from healthv1.hosts.session import Session, faults_of, opened
from healthv1.lock.acquire import run_concurrently
from healthv1.secrets.backend import Backend

CONNECT_TIMEOUT = 5.0  # seconds, for a host that takes no part
TIMEOUT = 20  # seconds


def bind_secrets_unless_lost(environment: str) -> SecretsInUse:
    """Bind the secrets. Raises `SecretsError` when the backend is missing that a host was deployed from."""
    bindings = bind_secrets(environment)
    if _missing_backends(secret.backend for secret in bindings.secrets):
        refuse_lost(environment)
    return bindings


def refuse_lost(environment: str) -> None:
    """Ask the hosts of `environment`, as `refuse` does, over connections of its own."""
    with opened(environment, read_site=False) as session:
        refuse(session)


def refuse(session: Session) -> None:
    """Raise `SecretsError` when a backend is missing that a host of the environment was deployed from.

    Hosts outside of --limit are asked too. A host that cannot be reached counts as not deployed.
    """
    gone = _missing_backends(host.data.get("secrets") for host in session.all_hosts)
    if not gone:
        return
    deployed_to = run_concurrently(session.all_hosts, lambda host: _was_deployed(session, host))
    names = [host.name for host, deployed in deployed_to.items() if deployed]
    were = "was" if len(names) == 1 else "were"
    what = f"It is missing, although {', '.join(names)} {were} deployed to: new secrets would open nothing there."
    SecretsError.unless(Fault(where, what, hint) for where, hint in gone.items() if names)


def _missing_backends(backends: Iterable[object]) -> dict[str, str]:
    """Return the missing backends, each with the command that restores it."""
    return {
        str(backend): hint for backend in backends if isinstance(backend, Backend) and (hint := backend.restore_hint())
    }


def _was_deployed(session: Session, host: Host) -> bool:
    """Whether an apply of this environment has begun on it; a host of an earlier version notes no environment."""
    with suppress(HostError, TimeoutError):
        if host in inactive_hosts(session):
            connect(host, CONNECT_TIMEOUT)
        by = _ask_fact(host, ChangedBy()) | {_ask_fact(host, Record()).get("environment")} - {None}
        return session.environment in by or (not by and bool(_ask_fact(host, Marks())))
    return False


def _ask_fact(host: Host, fact: FactBase[Any]) -> Any:
    """Ask a fact without caching the answer: the host may not be part of the session. Raises `HostError`."""
    command = StringCommand("sh", "-c", QuoteString(fact.command()))
    try:
        _, output = run_read_only(host, command, _sudo=True, _timeout=TIMEOUT)
    except Exception as error:
        raise HostError(*faults_of(host, error)) from error
    return fact.process(output.stdout_lines)
