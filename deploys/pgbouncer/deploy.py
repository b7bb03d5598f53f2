"""A pooler on loopback beside each API, hardened, that proves its user's password to PostgreSQL with SCRAM."""

from __future__ import annotations

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from deploys.component import template
from deploys.facts.machine import MachineState
from deploys.logins import accepted, logins
from deploys.operations.claims import claim
from deploys.operations.files import directory, file
from deploys.operations.packages import packages
from deploys.operations.units import unit
from deploys.pgbouncer.checks import checks
from deploys.pgbouncer.commands import INI, USERLIST, serving, valid
from deploys.pgbouncer.settings import PACKAGES, PREPARES, Pgbouncer
from deploys.pgbouncer.userlist import userlist
from deploys.stack import LOOPBACK, Stack, Topology

DROP_IN = "/etc/systemd/system/pgbouncer.service.d"
# DISCARD ALL without what would also throw away the prepared statements that PgBouncer keeps.
RESET = (
    "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); "
    "DISCARD SEQUENCES; DISCARD TEMP"
)


@deploy("PgBouncer")
def deploy_pgbouncer(settings: Pgbouncer, stack: Stack, topology: Topology) -> None:
    machine, remote = host.get_fact(MachineState), topology.database != LOOPBACK
    users = accepted(stack.database_user, stack.database_password)
    prepares = PREPARES[machine.os, machine.release] and settings.max_prepared_statements > 0
    packages(name="Install PgBouncer", names=PACKAGES)
    file(
        name="Write userlist.txt",
        path=USERLIST,
        content=lambda: userlist(logins(stack.database_user, stack.database_password)),
        mode="0600",
        user="postgres",
        group="postgres",
        secret=True,
    )
    file(
        name="Write pgbouncer.ini",
        path=INI,
        content=template(
            "pgbouncer/pgbouncer.ini",
            stack=stack,
            settings=settings,
            database=topology.database,
            remote=remote,
            prepares=prepares,
            reset=RESET if prepares else "DISCARD ALL",
        ),
        mode="0640",
        group="postgres",
        test=valid('"$1"'),
    )
    directory(name="Make a place for the hardening", path=DROP_IN)
    file(
        name="Harden the unit",
        path=f"{DROP_IN}/hardening.conf",
        content=template("pgbouncer/hardening.conf", settings=settings, remote=remote),
    )
    unit(
        name="Run the pooler",
        unit="pgbouncer.service",
        effect="requests wait a moment; one that is at the database just then may be answered 503",
        restart_on=(INI, f"{DROP_IN}/hardening.conf"),
        reload_on=(USERLIST,),
        test=valid(INI),
        probe=serving(stack, users),
    )
    claim("pgbouncer", checks(settings, stack, topology, users))
