"""A pooler on loopback beside each API, hardened, that proves its user's password to PostgreSQL with SCRAM."""

from __future__ import annotations

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from deploys.beside import pooler_conflicts
from deploys.component import template
from deploys.credentials.logins import accepted_names, logins
from deploys.facts.machine import MachineState
from deploys.facts.marks import Marks
from deploys.operations.beside import mark_service
from deploys.operations.change import Change
from deploys.operations.claims import claim
from deploys.operations.files import directory, file
from deploys.operations.packages import packages
from deploys.operations.shell import ensure
from deploys.operations.units import unit
from deploys.packaged import PGBOUNCER
from deploys.pgbouncer.checks import checks
from deploys.pgbouncer.commands import is_serving, is_valid_configuration
from deploys.pgbouncer.settings import HAS_PREPARED_STATEMENTS, PACKAGES, Pgbouncer
from deploys.pgbouncer.userlist import userlist
from deploys.pooler import Pooler
from deploys.stack import LOOPBACK, Stack, Topology

# DISCARD ALL without what would also throw away the prepared statements that PgBouncer keeps.
RESET = (
    "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); "
    "DISCARD SEQUENCES; DISCARD TEMP"
)


@deploy("PgBouncer")
def deploy_pgbouncer(settings: Pgbouncer, stack: Stack, topology: Topology) -> None:
    machine, remote = host.get_fact(MachineState), topology.database != LOOPBACK
    users = accepted_names(stack.database_user, stack.database_password)
    keeps_prepared = HAS_PREPARED_STATEMENTS[machine.os, machine.release] and settings.max_prepared_statements > 0
    pooler = Pooler.from_marks(host.get_fact(Marks))
    if not pooler.is_packaged:
        mark_service(
            name="Take a place for PgBouncer that is nobody's",
            mark="pgbouncer",
            unit=pooler.name,
            survey=pooler_conflicts(pooler, stack.pooler_port),
            setting="stack.pooler_port",
            claim=PGBOUNCER.mark_as_ours("pgbouncer", pooler.name),
        )
    packages(name="Install PgBouncer", names=PACKAGES)
    if not pooler.is_packaged:
        ensure(
            name="Leave the distribution's PgBouncer off",
            change=Change(
                "unit", PGBOUNCER.unit, "disable", f"ours is {pooler.unit}", was="enabled", becomes="disabled"
            ),
            test=PGBOUNCER.is_off,
            command=PGBOUNCER.turn_off,
            after=(PGBOUNCER.name,),
        )
    file(
        name="Write who may log in to the pooler",
        path=pooler.userlist,
        content=lambda: userlist(logins(stack.database_user, stack.database_password)),
        mode="0600",
        user="postgres",
        group="postgres",
        secret=True,
    )
    file(
        name="Write pgbouncer.ini",
        path=pooler.ini,
        content=template(
            "pgbouncer/pgbouncer.ini",
            stack=stack,
            settings=settings,
            pooler=pooler,
            database=topology.database,
            remote=remote,
            prepares=keeps_prepared,
            reset=RESET if keeps_prepared else "DISCARD ALL",
        ),
        mode="0640",
        group="postgres",
        test=is_valid_configuration('"$1"'),
    )
    _run(pooler, settings, stack, users, remote=remote)
    claim("pgbouncer", checks(pooler, settings, stack, topology, users))


def _run(pooler: Pooler, settings: Pgbouncer, stack: Stack, users: tuple[str, ...], *, remote: bool) -> None:
    hardening = f"{pooler.drop_in}/hardening.conf"
    if not pooler.is_packaged:
        file(
            name="Write the unit",
            path=pooler.unit_file,
            content=template("pgbouncer/health-v1-pgbouncer.service", pooler=pooler),
        )
    directory(name="Make a place for the hardening", path=pooler.drop_in)
    file(
        name="Harden the unit",
        path=hardening,
        content=template("pgbouncer/hardening.conf", settings=settings, pooler=pooler, remote=remote),
    )
    unit(
        name="Run the pooler",
        unit=pooler.unit,
        effect="requests wait a moment; one that is at the database just then may be answered 503",
        restart_on=(pooler.ini, hardening, *([] if pooler.is_packaged else [pooler.unit_file]), *pooler.program),
        reload_on=(pooler.userlist,),
        test=is_valid_configuration(pooler.ini),
        probe=is_serving(pooler, stack, users),
    )
