"""What `healthv1 export` does, without a terminal: it brings a copy of the database here, encrypted where it is made.

It takes no lock: it changes nothing, and nobody's urgent deploy waits for a copy. A migration that meets it gives up
after seconds, by itself. The journal has it in any case: who took a copy is what an audit asks first.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from deploys.cluster import NAME, Cluster
from deploys.facts.machine import MachineState
from deploys.facts.marks import Marks
from deploys.operations.change import Change
from deploys.postgresql.dump import attended, dump
from deploys.postgresql.settings import VERSION
from deploys.stack import Stack
from healthv1.access.ssh_client import ssh_argv
from healthv1.backup.receiving import Received, receive
from healthv1.errors import Fault, Refused
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.secrets_in_use import inventory_of
from healthv1.hosts.session import Session, opened
from healthv1.journal.recording import recorded
from healthv1.output.meter import Meter
from healthv1.plan import Step
from healthv1.rollout.progress import Progress
from healthv1.secrets import age
from healthv1.workspace.atomic_files import arriving, refuse_taken

SCHEMA = 1


@dataclass(frozen=True)
class Exported:
    environment: str
    host: str
    database: str
    postgresql: int
    """The major version that it comes from: this one, or a newer one, can read it."""
    created: str
    """UTC, by the operator's clock, before the dump began."""
    file: str
    sha256: str
    """Of the file."""
    size: int
    """Of the file, in bytes."""
    recipients: tuple[str, ...]
    tables: dict[str, int]
    """The number of rows by table, counted in the archive itself."""

    def as_json(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}


def export(environment: str, recipients: Sequence[str], out: Path) -> Exported:
    """Write a copy of the database into the new file `out`, for `recipients`. Raises `Refused`: there is no file."""
    keys = tuple(dict.fromkeys(age.without_comment(recipient) for recipient in recipients))
    name = _refuse_faults(environment, keys, out)
    progress = Progress()
    with opened(environment, (name,), read_site=False) as session:
        session.refuse_faults()
        host, stack = session.host(name), session.host(name).data.get("stack")
        cluster = _cluster(session, host)
        created = datetime.now(timezone.utc).isoformat(timespec="seconds")
        whom = [Change("recipient", age.fingerprint(key), "encrypt to") for key in keys]
        with recorded(session, "export", progress.note, [_step(name, *whom)]) as run:
            progress.note(f"Copying {stack.database} of {name}")
            script = attended(dump(cluster, stack.database, keys))
            received = _fetch(environment, host, cluster, script, out)
            copy = Change("copy", f"sha256 {received.sha256}, {received.size} bytes", "export")
            run.end_with([_step(name, copy, *whom)], ())
    return Exported(
        environment=environment,
        host=name,
        database=stack.database,
        postgresql=cluster.version,
        created=created,
        file=str(out),
        sha256=received.sha256,
        size=received.size,
        recipients=keys,
        tables=received.tables,
    )


def _refuse_faults(environment: str, keys: Sequence[str], out: Path) -> str:
    """Raise with all faults of what was typed and of the settings. Return the name of the database's host."""
    faults = [
        fault
        for check in (lambda: age.refuse_wrong(keys, "export"), lambda: refuse_taken(out))
        for fault in _faults(check)
    ]
    try:
        name = _database_host(environment)
    except Refused as refusal:
        raise Refused(*refusal.faults, *faults) from None
    Refused.unless(faults)
    return name


def _faults(check: Callable[[], None]) -> tuple[Fault, ...]:
    try:
        check()
    except Refused as refusal:
        return refusal.faults
    return ()


def _database_host(environment: str) -> str:
    with inventory_of(environment) as inventory:
        hosts = inventory.groups.get("database", [])
        if not hosts:
            raise Refused(Fault(f"inventories/{environment}.py", "No host is in database.", "add the database's host"))
        if not isinstance(hosts[0].data.get("stack"), Stack):
            what = "stack is missing."
            raise Refused(Fault(f"group_data for {hosts[0].name}", what, "add: stack = Stack(…)"))
        return str(hosts[0].name)


def _cluster(session: Session, host: Host) -> Cluster:
    with session.on(host):
        machine, marks = host.get_fact(MachineState, _sudo=True), host.get_fact(Marks, _sudo=True)
    version = VERSION.get((machine.os, machine.release))
    if version is None:
        what = f"{machine.os} {machine.release} is not a distribution that we deploy to."
        raise Refused(Fault(host.name, what, f"healthv1 plan {session.environment}"))
    return Cluster(version, host.data.get("stack").postgresql_port, marks.get("cluster", NAME))


def _fetch(environment: str, host: Host, cluster: Cluster, script: str, out: Path) -> Received:
    # Its own connection: the session's waits for answers as a whole. It spares who is served meanwhile.
    shell = f"sudo -n {cluster.as_postgres} nice -n 19 bash -s"
    try:
        with arriving(out) as file, ssh_argv(host) as ssh, Meter(f"{host.name} → {out.name}") as meter:
            return receive(environment, host.name, [*ssh, shell], script, file, meter.arrived)
    except FileExistsError:
        raise Refused(Fault(str(out), "It is there by now, and is not replaced.", "choose another name")) from None
    except OSError as error:
        hint = "make room there" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "choose another place"
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        raise Refused(Fault(str(out), f"It cannot be written ({why}). Nothing is left of it.", hint)) from None


def _step(host: str, *changes: Change) -> Step:
    return Step(host, "", "PostgreSQL", "Export", changes)
