"""A complete release, the database migrated to it, one link that chooses it, and instances that run it."""

from __future__ import annotations

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from deploys.api.checks import checks
from deploys.api.commands import is_prepared_or_unknown, is_ready, is_rewrapped, prepare, rewrap
from deploys.api.settings import PACKAGES, PYTHON, Api
from deploys.cluster import Cluster
from deploys.component import Secret, template
from deploys.credentials.master_key import fingerprints
from deploys.facts.machine import MachineState
from deploys.facts.marks import Marks
from deploys.facts.master_key import ConfiguredMasterKeys
from deploys.facts.release import COMPLETE
from deploys.operations.change import Change
from deploys.operations.claims import claim
from deploys.operations.files import directory, file, link
from deploys.operations.packages import packages
from deploys.operations.release import install_release, prune_releases, stop_other_instances
from deploys.operations.shell import ensure
from deploys.operations.units import unit
from deploys.pooler import Pooler
from deploys.redis_server import RedisServer
from deploys.stack import LOOPBACK, Stack, Topology

UNIT = "/etc/systemd/system/health-v1-api@.service"


@deploy("API")
def deploy_api(settings: Api, stack: Stack, topology: Topology, first: bool, cluster: Cluster | None) -> None:
    """Run the release. `first` is the one host that migrates; the others start after it.

    + cluster: where the database is on the same host.
    """
    releases, (python, architecture) = f"{stack.home}/releases", _target()
    version = settings.release.version(python, architecture)
    packages(name="Install Python", names=PACKAGES)
    install_release(
        name="Install the release",
        releases=releases,
        version=version,
        archive=lambda: settings.release.archive(python, architecture),
    )
    if first:
        ensure(
            name="Migrate the database",
            change=Change("database", stack.database, "migrate", becomes=version, effect="requests go on meanwhile"),
            was=f'basename "$(readlink {stack.current})"',
            test=is_prepared_or_unknown(stack, version, cluster),
            command=prepare(stack, version, cluster),
            stdin=lambda: f"{stack.admin_password.reveal()}\n",
            after=(f"{releases}/{version}",),
        )
    link(name="Choose the release", path=stack.current, target=f"releases/{version}", ours=True)
    _instances(settings, stack, topology, f"{releases}/{version}/{COMPLETE}", cluster)
    prune_releases(
        name="Remove old releases",
        releases=releases,
        current=stack.current,
        version=version,
        keep=settings.keep_releases,
    )
    claim("api", checks(stack, topology, first=first, version=version))


@deploy("API")
def rewrap_data_keys(settings: Api, stack: Stack, master_key: Secret) -> None:
    """By now every instance on every host accepts both master keys, and wraps what is new under the active one."""
    if len(master_key.numbers()) < 2:
        return
    version = settings.release.version(*_target())
    env, active = f"{stack.home}/.env", fingerprints(master_key)[0]
    key_was_promoted = host.get_fact(ConfiguredMasterKeys, path=env)[:1] not in ([], [active])
    ensure(
        name="Wrap the data keys under the active master key",
        change=Change(
            "key",
            f"{stack.database}: data keys",
            "rewrap",
            f"under the master key {active}",
            effect="requests go on meanwhile",
        ),
        test=is_rewrapped(stack, version),
        command=rewrap(stack, version),
        # The test asks with the key that the instances are told now, which another replaces first.
        after=(env,) if key_was_promoted else (),
    )


def _target() -> tuple[str, str]:
    """Return the host's Python and architecture, known even before Python is installed."""
    machine = host.get_fact(MachineState)
    return machine.python or PYTHON[machine.os, machine.release], machine.architecture


def _effect(other_ports: list[int]) -> str:
    """Return what a restart of one instance means; Nginx asks the next one when one refuses."""
    if not other_ports:
        return "it ends the requests it has; the API on this host is away until it is ready again"
    return f"it ends the requests it has; new ones go to {' and '.join(map(str, other_ports))} meanwhile"


def _instances(settings: Api, stack: Stack, topology: Topology, release: str, cluster: Cluster | None) -> None:
    listen = "0.0.0.0" if topology.remote(topology.edge) else LOOPBACK  # noqa: S104 - the firewall admits the edge alone
    marks = host.get_fact(Marks)
    after = [
        Pooler.from_marks(marks).unit,
        *([RedisServer.from_marks(marks).unit, cluster.start_unit] if cluster else []),
    ]
    file(
        name="Write the unit",
        path=UNIT,
        content=template("api/health-v1-api@.service", stack=stack, settings=settings, listen=listen, after=after),
        test='systemd-analyze verify "$1"',
    )
    stop_other_instances(name="Stop instances on other ports", ports=stack.instances)
    # One after another, each waited for until it is ready: the others serve meanwhile.
    for port in host.loop(stack.instances):
        drop_in = f"/etc/systemd/system/health-v1-api@{port}.service.d"
        directory(name=f"Make a place for what instance {port} is told", path=drop_in)
        file(
            name=f"Tell instance {port} its metrics port",
            path=f"{drop_in}/instance.conf",
            content=template("api/instance.conf", metrics_port=stack.metrics_port(port)),
        )
        unit(
            name=f"Run instance {port}",
            unit=f"health-v1-api@{port}.service",
            effect=_effect([other for other in stack.instances if other != port]),
            restart_on=(UNIT, f"{drop_in}/instance.conf", f"{stack.home}/.env", stack.current, release),
            probe=is_ready(port),
        )
