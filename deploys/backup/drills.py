"""A host that has no database restores the database's backups, and proves them: with a key that only reads."""

from __future__ import annotations

from pyinfra.api.deploy import deploy
from pyinfra.api.host import Host
from pyinfra.context import host

from deploys.archiving import CREDENTIALS_FOLDER
from deploys.backup.checks import DRILL_TIMER, WATCH_TIMER, drill_checks, timers_run
from deploys.backup.configuration import program_file
from deploys.backup.deploy import unexported
from deploys.backup.installing import (
    PROGRAM_SETTINGS,
    Source,
    install_pgbackrest,
    install_program,
    run_timers,
    stop_timers,
    write_keys,
    write_units,
)
from deploys.backup.settings import Backup
from deploys.cluster import Cluster
from deploys.facts.machine import Machine, MachineState
from deploys.facts.marks import Marks
from deploys.faults import Fault, Refused
from deploys.marks import has_mark, mark
from deploys.operations.change import Change
from deploys.operations.claims import claim
from deploys.operations.files import absent, file
from deploys.operations.shell import ensure
from deploys.stack import Stack

MARK = "drill"
"""On a host for drills: whose backups it restores, as "HISTORY VERSION CLUSTER"."""


def source_here(
    settings: Backup, stack: Stack, cluster: Cluster | None, database: Host | None, *, require_escrow: bool
) -> Source | None:
    """Return whose backups are restored here; None: there are none yet. Raises `Refused` where no copy would start.

    + cluster, database: None while that host takes no part: then all is as the last apply noted.
    """
    if not settings.repository:
        return None
    if settings.other_host:
        what = "Drills cannot run here: the host that keeps the backups lets the database's host in, and no other."
        raise Refused(
            Fault(f"{host.name}: group drill", what, "take it out of the group: drills run on that host then")
        )
    if cluster is not None and database is not None:
        if unexported(settings, database.get_fact(Marks), require_escrow=require_escrow):
            return None
        theirs = database.get_fact(MachineState)
        Refused.unless(_unlike(host.get_fact(MachineState), theirs, database.name))
        return Source(cluster, theirs.identity[:12])
    noted = host.get_fact(Marks).get(MARK, "").split()
    if len(noted) != 3:
        what = "Whose backups it is to restore is not known while the database's host takes no part."
        raise Refused(Fault(f"{host.name}: group drill", what, "healthv1 apply ENV, on all hosts"))
    history, version, name = noted
    return Source(Cluster(int(version), stack.postgresql_port, name), history)


def _unlike(ours: Machine, theirs: Machine, name: str) -> list[Fault]:
    """Return why a copy of the other host's data files cannot be tried here."""
    if (ours.os, ours.release, ours.architecture) == (theirs.os, theirs.release, theirs.architecture):
        return []
    here, there = (f"{one.os} {one.release} on {one.architecture}" for one in (ours, theirs))
    what = f"It is {here}, and {name} is {there}: a copy of its data is not the same there."
    return [Fault(f"{host.name}: group drill", what, f"install {there} on it, or take it out of the group drill")]


@deploy("Drills")
def deploy_drills(settings: Backup, stack: Stack, source: Source | None) -> None:
    """Run the drills of another host's backups, or no more of them. + source: None: nothing is backed up."""
    timers = (WATCH_TIMER, DRILL_TIMER) if settings.drill else (WATCH_TIMER,)
    if source is None:
        stop_timers((WATCH_TIMER, DRILL_TIMER), "nothing is backed up any more")
        absent(name="Remove the keys", path=f"{CREDENTIALS_FOLDER}/health-v1.conf")
        claim("drills", [], gates=False)
        return
    _install(settings.with_one_key(reader=True), stack, source)
    write_units(("health-v1-backup-watch.service", "health-v1-drill.service", *timers), settings, source.cluster)
    stop_timers([] if settings.drill else [DRILL_TIMER], "no restore is tried any more")
    run_timers(timers)
    claims = drill_checks(settings.drill_max_age, drill=bool(settings.drill), drill_off=settings.drill_off)
    claim("drills", [*claims, timers_run(timers, "The timers of the drills run")], gates=False)


def _install(settings: Backup, stack: Stack, source: Source) -> None:
    noted = f"{source.history} {source.cluster.version} {source.cluster.name}"
    version = settings.passphrase.numbers()[0]
    ensure(
        name="Note whose backups are restored here",
        change=Change("mark", MARK, "create", becomes=noted),
        test=has_mark(MARK, noted),
        command=mark(MARK, noted),
    )
    install_pgbackrest(settings, source)
    write_keys("the keys", CREDENTIALS_FOLDER, settings)
    file(
        name="Write the settings of our program",
        path=PROGRAM_SETTINGS,
        content=lambda: program_file(settings, source.cluster, stack, source.history, version, live=False),
    )
    install_program()
