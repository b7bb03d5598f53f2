"""One cluster of the distribution's version, tuned to its host, with a database, its owner and its user."""

from __future__ import annotations

from pyinfra.api.deploy import deploy
from pyinfra.api.host import Host
from pyinfra.context import host

from deploys import recovery
from deploys.archiving import Archiving
from deploys.cluster import NAME, Cluster
from deploys.component import Secret, Text, template
from deploys.facts.machine import MachineState
from deploys.facts.marks import Marks
from deploys.operations.alter_system import reset_alter_system
from deploys.operations.change import Change
from deploys.operations.claims import claim
from deploys.operations.clusters import refuse_foreign_clusters
from deploys.operations.databases import database
from deploys.operations.files import directory, file
from deploys.operations.master_key import refuse_wrong_master_key
from deploys.operations.packages import packages
from deploys.operations.roles import drop_old_logins, group_role, login_roles, role
from deploys.operations.shell import ensure
from deploys.operations.units import unit
from deploys.paths import ALTERED_BY_SYSTEM
from deploys.postgresql.checks import checks, final_checks
from deploys.postgresql.commands import (
    has_valid_certificate,
    is_acceptable,
    is_enabled,
    is_made,
    is_serving,
    is_valid_file,
    is_valid_hba,
    make_certificate,
    make_cluster,
)
from deploys.postgresql.configuration import api_networks, parameters, reload_file, restart_file, vault_networks
from deploys.postgresql.reading import allow_reading, reading_checks, remove_reading
from deploys.postgresql.settings import MAKER, READER, VERSION, Postgresql, Reading
from deploys.postgresql.tuning import MachineShape
from deploys.stack import Stack, Topology

"""Touched when something that only a restart takes back was taken back."""


EFFECT = "sessions end; requests wait at PgBouncer meanwhile, and some are answered 503"


@deploy("PostgreSQL")
def deploy_postgresql(
    settings: Postgresql,
    stack: Stack,
    topology: Topology,
    master_key: Secret,
    reading: Reading | None = None,
    archiving: Archiving | None = None,
) -> None:
    """Run the cluster. `master_key` is not told to it: it has to be the one that opens what is stored."""
    machine, cluster = host.get_fact(MachineState), cluster_here(stack)
    refuse_foreign_clusters(name="Look at the clusters that are there", cluster=cluster, memory=settings.memory)
    refuse_wrong_master_key(
        name="Try the master key on what is stored",
        cluster=cluster,
        database=stack.database,
        master_key=master_key,
    )
    _cluster(cluster)
    shape = MachineShape(machine.memory, machine.cores, machine.disk, machine.rotational)
    parameter_values = parameters(settings, topology, cluster, shape, reading, archiving)
    hba = template(
        "postgresql/pg_hba.conf",
        stack=stack,
        peers=api_networks(topology),
        vault=vault_networks(reading),
        maker=MAKER,
        reader=READER,
    )
    _configuration(
        cluster,
        hba,
        {"restart": lambda: restart_file(parameter_values), "reload": lambda: reload_file(parameter_values)},
    )
    _roles(cluster, stack)
    claim("postgresql", checks(cluster, stack, topology, reading))


@deploy("PostgreSQL")
def retire_logins(stack: Stack) -> None:
    """Refuse passwords that no version accepts any more. The API has moved on by now."""
    drop_old_logins(
        name="Drop logins that are not accepted",
        cluster=cluster_here(stack),
        role=stack.database_user,
        password=stack.database_password,
        database=stack.database,
        owner=stack.database_owner,
    )


@deploy("PostgreSQL")
def deploy_reading(reading: Reading | None, stack: Stack) -> None:
    """Let Vault make logins that read, or take away what once let it. What there is to read, migrations have made."""
    cluster = cluster_here(stack)
    if reading is None:
        remove_reading(cluster, stack)
        claim("postgresql", final_checks(cluster, stack))
        return
    group_role(name="Have the role that may read", cluster=cluster, role=READER)
    role(
        name="Have the role that Vault makes logins as",
        cluster=cluster,
        role=MAKER,
        password=reading.database_engine_password,
    )
    allow_reading(cluster, stack, reading)
    claim("postgresql", [*final_checks(cluster, stack, reading), *reading_checks(cluster, stack, reading)])


@deploy("PostgreSQL")
def deploy_programs(cluster: Cluster) -> None:
    """Have PostgreSQL's programs, and no cluster: for a host that restores another one's backups."""
    _programs(f"postgresql-{cluster.version}", "age")


def cluster_here(stack: Stack) -> Cluster:
    """Return the cluster of a host that has the database: the one that is marked as ours, or that is to be made."""
    return cluster_on(host, stack)


def cluster_on(other: Host, stack: Stack) -> Cluster:
    machine = other.get_fact(MachineState)
    name = other.get_fact(Marks).get("cluster", NAME)
    return Cluster(VERSION[machine.os, machine.release], stack.postgresql_port, name)


def _programs(*names: str) -> None:
    directory(name="Make a place for cluster defaults", path="/etc/postgresql-common/createcluster.d")
    file(
        name="Leave making the cluster to us",
        path="/etc/postgresql-common/createcluster.d/health-v1.conf",
        content=template("postgresql/createcluster.conf"),
    )
    packages(name="Install PostgreSQL", names=names)


def _cluster(cluster: Cluster) -> None:
    version = cluster.version
    # logrotate: its log grows for ever otherwise, and the package only recommends it.
    _programs(f"postgresql-{version}", f"postgresql-{version}-pgaudit", "openssl", "logrotate", "age")
    ensure(
        name="Make the cluster",
        change=Change("cluster", str(cluster), "create", becomes=f"port {cluster.port}"),
        test=is_made(cluster),
        command=make_cluster(cluster),
    )


def _configuration(cluster: Cluster, hba: Text, conf_d: dict[str, Text]) -> None:
    folder = cluster.configuration
    drop_in = f"/etc/systemd/system/{cluster.unit}.d"
    network, hardening = f"{drop_in}/network.conf", f"{drop_in}/hardening.conf"
    ensure(
        name="Make the host's key",
        change=Change("certificate", f"{folder}/server.crt", "create", becomes="signed by itself"),
        test=has_valid_certificate(cluster),
        command=make_certificate(cluster),
    )
    for effect, text in host.loop(conf_d.items()):
        file(
            name=f"Write what takes a {effect}",
            path=f"{folder}/conf.d/zz-health-v1-{effect}.conf",
            content=text,
            mode="0640",
            user="postgres",
            group="postgres",
            test=is_valid_file(cluster),
            ours=True,
        )
    file(
        name="Write postgresql.conf",
        path=f"{folder}/postgresql.conf",
        content=template("postgresql/postgresql.conf", cluster=cluster),
        mode="0640",
        user="postgres",
        group="postgres",
        ours=True,
    )
    file(
        name="Write pg_hba.conf",
        path=f"{folder}/pg_hba.conf",
        content=hba,
        test_in_place=is_valid_hba(cluster),
        mode="0640",
        user="postgres",
        group="postgres",
        ours=True,
    )
    file(
        name="Have it start again after an upgrade of its package",  # and whenever postgresql.service does
        path=f"{folder}/start.conf",
        content=template("postgresql/start.conf"),
        user="postgres",
        group="postgres",
        ours=True,
    )
    directory(name="Make a place for the unit's drop-ins", path=drop_in, ours=True)
    file(name="Start after the network", path=network, content=template("postgresql/network.conf"), ours=True)
    file(
        name="Keep its memory out of core dumps",
        path=hardening,
        content=template("postgresql/hardening.conf"),
        ours=True,
    )
    file(
        name="Have it started again when it is killed",  # the packaged unit says no
        path=recovery.drop_in_path(cluster.unit),
        content=recovery.drop_in_text(),
        test_in_place=recovery.RELOAD_SYSTEMD,
        ours=True,
    )
    reset_alter_system(name="Take back what ALTER SYSTEM set", cluster=cluster, restart=ALTERED_BY_SYSTEM)
    unit(
        name="Run the cluster",
        unit=cluster.unit,
        effect=EFFECT,
        restart_on=(
            f"{folder}/postgresql.conf",
            f"{folder}/conf.d/zz-health-v1-restart.conf",
            network,
            hardening,
            ALTERED_BY_SYSTEM,
        ),
        reload_on=(
            f"{folder}/conf.d/zz-health-v1-reload.conf",
            f"{folder}/pg_hba.conf",
            f"{folder}/server.crt",
            cluster.auto_conf,
        ),
        test=is_acceptable(cluster),
        probe=is_serving(cluster),
        wait=300,  # it replays its log after a crash
        unseen="what is due to its roles and databases",
        made_by=str(cluster),
    )
    ensure(
        name="Start the cluster with the host",
        change=Change("unit", cluster.unit, "enable", "postgresql.service alone would start it with the host"),
        test=is_enabled(cluster),
        command=f"systemctl enable {cluster.unit}",
    )


def _roles(cluster: Cluster, stack: Stack) -> None:
    role(
        name="Have the role that owns the schema",
        cluster=cluster,
        role=stack.database_owner,
        password=stack.database_owner_password,
        unseen=f"what {stack.database} lacks",
    )
    group_role(name="Have the role that holds the API's rights", cluster=cluster, role=stack.database_user)
    login_roles(
        name="Have the roles that the API logs in as",
        cluster=cluster,
        role=stack.database_user,
        password=stack.database_password,
    )
    database(
        name="Have the database",
        cluster=cluster,
        database=stack.database,
        owner=stack.database_owner,
        user=stack.database_user,
    )
