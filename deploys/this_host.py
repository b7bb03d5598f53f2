"""The inventory and group_data of the current host."""

from __future__ import annotations

from typing import TypeVar

from pyinfra.api.host import Host
from pyinfra.context import ctx_host, ctx_inventory

from deploys.component import Secret, Settings
from deploys.faults import Fault, Refused
from deploys.secret import Backend
from deploys.stack import Stack, Topology
from deploys.tls import HostIdentity, Peer

Model = TypeVar("Model", bound=Settings)
PARTS = ("database", "api", "edge", "repository", "monitoring", "drill")
ADDRESSES = ("private_address", "ssh_hostname", "address6")
"""Host data keys that say where others reach a host."""
KEYS = ("secrets", "private_address", "address6")
"""Host data keys that we read besides settings and pyinfra's own. Add every further key here."""


def settings(model: type[Model], of: Host | None = None) -> Model:
    """Return this host's settings of one component, secrets bound. group_data has them under the model's name.

    + of: another host, whose settings count here.
    """
    host = of or ctx_host.get()
    name = model.__name__.lower()
    value = host.data.get(name)
    if not isinstance(value, model):
        what = f"{name} is {'missing' if value is None else 'not ' + model.__name__ + '(…)'}."
        raise Refused(Fault(f"group_data for {host.name}", what, f"add: {name} = {model.__name__}(…)"))
    return value.bind(backend(host)) if value.secrets() else value


def optional_settings(model: type[Model]) -> Model | None:
    """Return this host's settings of an optional component, or None."""
    return None if ctx_host.get().data.get(model.__name__.lower()) is None else settings(model)


def backend(of: Host | None = None) -> Backend:
    """Return the secrets backend from group_data."""
    host = of or ctx_host.get()
    value = host.data.get("secrets")
    if value is None:
        raise Refused(Fault(f"group_data for {host.name}", "secrets is missing.", "add: secrets = Vault(…)"))
    return value  # type: ignore[no-any-return]


def required_secrets(
    stack: Stack,
    environment: Settings,
    rollout: Settings,
    backup: Settings,
    reading: Settings | None = None,
    pki: Settings | None = None,
    drills: tuple[Secret, ...] = (),
) -> tuple[Secret, ...]:
    """Return the secrets that the hosts of this run use. All others may be missing or unreadable.

    + drills: what a host has that restores the database's backups.
    """
    parts = {part for host in _chosen_hosts() for part in host.groups}
    data_secrets = (stack.database_password, stack.database_owner_password, stack.redis_password)
    host_secrets = (
        stack.secrets() + environment.secrets() if "api" in parts else data_secrets if "database" in parts else ()
    )
    database_secrets = backup.secrets() + (reading.secrets() if reading else ()) if "database" in parts else ()
    database_secrets = database_secrets or (drills if "drill" in parts else ())
    return rollout.secrets() + host_secrets + database_secrets + (pki.secrets() if pki else ())


def database() -> Host | None:
    """Return the host with the database: its settings count for whoever restores its backups."""
    hosts: list[Host] = ctx_inventory.get().groups.get("database", [])
    return hosts[0] if hosts else None


def takes_part(other: Host | None) -> bool:
    """Whether another host is asked in this run, too. Its facts cost nothing then: all hosts are asked at once."""
    return other is not None and other.connected and other in other.state.active_hosts


def drills_are_elsewhere() -> bool:
    """Whether a host that has no database runs the drills."""
    groups = ctx_inventory.get().groups
    return bool({*groups.get("drill", [])} - {*groups.get("database", [])})


def plays(part: str) -> bool:
    """Whether this host is in the inventory group `part`."""
    return part in ctx_host.get().groups


def parts() -> frozenset[str]:
    """Return this host's parts."""
    return frozenset(part for part in PARTS if plays(part))


def topology() -> Topology:
    inventory = ctx_inventory.get()
    hosts_by_part = {part: inventory.groups.get(part, []) for part in PARTS}
    return Topology.seen_from(
        _address(ctx_host.get()), {part: [_address(host) for host in hosts] for part, hosts in hosts_by_part.items()}
    )


def peers(part: str) -> tuple[Peer, ...]:
    """Return the hosts in the inventory group `part`, this one among them."""
    return tuple(Peer(identity(host), _address(host)) for host in ctx_inventory.get().groups.get(part, []))


def shares(model: type[Settings], *parts: str) -> bool:
    """Whether all hosts of these parts have the same settings of this component."""
    name, groups = model.__name__.lower(), ctx_inventory.get().groups
    values = [host.data.get(name) for part in parts for host in groups.get(part, [])]
    return all(value == values[0] for value in values)


def identity(of: Host | None = None) -> HostIdentity:
    """Return who a host, or this one, is to others. Raises `Refused` where that cannot stand in a certificate."""
    host = of or ctx_host.get()
    name = host.name.rpartition("/")[2]  # pyinfra's connectors stand ahead of it: @docker/web1
    return HostIdentity.of(name, (str(host.data.get(key) or "") for key in ADDRESSES))


def is_first(part: str) -> bool:
    """Whether this host is the first of `part` (or "all"), which does the tasks that run once, such as migrations.

    If that host fails, no other takes over. Only --limit chooses another.
    """
    hosts = [host for host in _chosen_hosts() if part == "all" or part in host.groups]
    return bool(hosts) and ctx_host.get() is hosts[0]


def _chosen_hosts() -> list[Host]:
    """Return the hosts within --limit, in inventory order, failed ones included."""
    inventory = ctx_inventory.get()
    return [host for host in inventory if inventory.state.is_host_in_limit(host)]


def _address(host: Host) -> str:
    return str(host.data.get("private_address") or host.data.get("ssh_hostname") or host.name)
