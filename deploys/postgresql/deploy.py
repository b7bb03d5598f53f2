"""One cluster of the distribution's version, tuned to its host, with a database, its owner and its user."""

from __future__ import annotations

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from deploys.cluster import Cluster
from deploys.component import template
from deploys.facts.machine import MachineState
from deploys.operations.altered import nothing_altered
from deploys.operations.change import Change
from deploys.operations.claims import claim
from deploys.operations.databases import database
from deploys.operations.files import directory, file
from deploys.operations.packages import packages
from deploys.operations.roles import role
from deploys.operations.shell import ensure
from deploys.operations.units import unit
from deploys.postgresql.checks import checks
from deploys.postgresql.commands import acceptable, admissible, certificate, certified, made, make, serving, valid
from deploys.postgresql.configuration import parameters, peers, reloading, restarting
from deploys.postgresql.settings import VERSION, Postgresql
from deploys.postgresql.tuning import Shape
from deploys.stack import Stack, Topology

RESTART = "/var/lib/health-v1/postgresql.restart"
"""Touched when something that only a restart takes back was taken back."""


@deploy("PostgreSQL")
def deploy_postgresql(settings: Postgresql, stack: Stack, topology: Topology) -> None:
    machine = host.get_fact(MachineState)
    cluster = Cluster(VERSION[machine.os, machine.release], stack.postgresql_port)
    _cluster(cluster)
    shape = Shape(machine.memory, machine.cores, machine.disk, machine.rotational)
    wanted = parameters(settings, topology, cluster, shape)
    _configuration(cluster, stack, topology, {"restart": restarting(wanted), "reload": reloading(wanted)})
    _roles(cluster, stack)
    claim("postgresql", checks(cluster, stack, topology))


def _cluster(cluster: Cluster) -> None:
    directory(name="Make a place for cluster defaults", path="/etc/postgresql-common/createcluster.d")
    file(
        name="Leave making the cluster to us",
        path="/etc/postgresql-common/createcluster.d/health-v1.conf",
        content=template("postgresql/createcluster.conf"),
    )
    version = cluster.version
    packages(
        name="Install PostgreSQL",
        # logrotate: its log grows for ever otherwise, and the package only recommends it.
        names=(f"postgresql-{version}", f"postgresql-{version}-pgaudit", "openssl", "logrotate"),
    )
    ensure(
        name="Make the cluster",
        change=Change("cluster", f"{version}/{cluster.name}", "create"),
        test=made(cluster),
        command=make(cluster),
    )


def _configuration(cluster: Cluster, stack: Stack, topology: Topology, conf_d: dict[str, str]) -> None:
    at = cluster.configuration
    network = f"/etc/systemd/system/{cluster.unit}.d/network.conf"
    ensure(
        name="Make the host's key",
        change=Change("certificate", f"{at}/server.crt", "create"),
        test=certified(cluster),
        command=certificate(cluster),
    )
    for effect, text in host.loop(conf_d.items()):
        file(
            name=f"Write what takes a {effect}",
            path=f"{at}/conf.d/zz-health-v1-{effect}.conf",
            content=text,
            mode="0640",
            user="postgres",
            group="postgres",
            test=valid(cluster),
        )
    file(
        name="Write postgresql.conf",
        path=f"{at}/postgresql.conf",
        content=template("postgresql/postgresql.conf", cluster=cluster),
        mode="0640",
        user="postgres",
        group="postgres",
    )
    file(
        name="Write pg_hba.conf",
        path=f"{at}/pg_hba.conf",
        content=template("postgresql/pg_hba.conf", stack=stack, peers=peers(topology)),
        test_in_place=admissible(cluster),
        mode="0640",
        user="postgres",
        group="postgres",
    )
    directory(name="Make a place for the unit's drop-in", path=f"/etc/systemd/system/{cluster.unit}.d")
    file(name="Start after the network", path=network, content=template("postgresql/network.conf"))
    nothing_altered(name="Take back what ALTER SYSTEM set", cluster=cluster, restart=RESTART)
    unit(
        name="Run the cluster",
        unit=cluster.unit,
        restart_on=(f"{at}/postgresql.conf", f"{at}/conf.d/zz-health-v1-restart.conf", network, RESTART),
        reload_on=(
            f"{at}/conf.d/zz-health-v1-reload.conf",
            f"{at}/pg_hba.conf",
            f"{at}/server.crt",
            cluster.altered,
        ),
        test=acceptable(cluster),
        probe=serving(cluster),
        wait=300,  # it replays its log after a crash
    )
    unit(name="Start the cluster with the host", unit="postgresql.service")


def _roles(cluster: Cluster, stack: Stack) -> None:
    role(
        name="Have the role that owns the schema",
        cluster=cluster,
        role=stack.database_owner,
        password=stack.database_owner_password,
    )
    role(
        name="Have the role that the API uses",
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
