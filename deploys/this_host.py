"""What the inventory and group_data say of the host that is being prepared."""

from __future__ import annotations

from typing import TypeVar

from pyinfra.api.host import Host
from pyinfra.context import ctx_host, ctx_inventory

from deploys.component import Secret, Settings
from deploys.faults import Fault, Refused
from deploys.secret import Backend
from deploys.stack import Stack, Topology

Model = TypeVar("Model", bound=Settings)
PARTS = ("database", "api", "edge", "monitoring")
KEYS = ("secrets", "private_address", "address6")
"""What is read of a host besides settings and what pyinfra reads. Whoever reads another key names it here."""


def settings(model: type[Model]) -> Model:
    """Return this host's settings of one component, secrets bound. They stand in group_data under the model's name."""
    host = ctx_host.get()
    name = model.__name__.lower()
    value = host.data.get(name)
    if not isinstance(value, model):
        what = f"{name} is {'missing' if value is None else 'not ' + model.__name__ + '(…)'}."
        raise Refused(Fault(f"group_data for {host.name}", what, f"add: {name} = {model.__name__}(…)"))
    return value.bind(backend()) if value.secrets() else value


def optional_settings(model: type[Model]) -> Model | None:
    """Return this host's settings of what is off until group_data has them, or None."""
    return None if ctx_host.get().data.get(model.__name__.lower()) is None else settings(model)


def backend() -> Backend:
    """Return the secrets backend that the inventory's group_data chose."""
    host = ctx_host.get()
    value = host.data.get("secrets")
    if value is None:
        raise Refused(Fault(f"group_data for {host.name}", "secrets is missing.", "add: secrets = Vault(…)"))
    return value  # type: ignore[no-any-return]


def required_secrets(
    stack: Stack, environment: Settings, rollout: Settings, reading: Settings | None = None
) -> tuple[Secret, ...]:
    """Return the secrets that the hosts of this run use: the others need neither be there, nor be readable."""
    parts = {part for host in _chosen_hosts() for part in host.groups}
    data_secrets = (stack.database_password, stack.database_owner_password, stack.redis_password)
    host_secrets = (
        stack.secrets() + environment.secrets() if "api" in parts else data_secrets if "database" in parts else ()
    )
    return rollout.secrets() + host_secrets + (reading.secrets() if reading and "database" in parts else ())


def plays(part: str) -> bool:
    """Whether this host is in the inventory's group of that name."""
    return part in ctx_host.get().groups


def parts() -> frozenset[str]:
    """Return the parts that this host plays."""
    return frozenset(part for part in PARTS if plays(part))


def topology() -> Topology:
    inventory = ctx_inventory.get()
    hosts_by_part = {part: inventory.groups.get(part, []) for part in PARTS}
    return Topology.seen_from(
        _address(ctx_host.get()), {part: [_address(host) for host in hosts] for part, hosts in hosts_by_part.items()}
    )


def is_first(part: str) -> bool:
    """Whether this host is the one that does what is done once among `part` (or "all"): migrations, say.

    A fault of that host moves it to no other: only whoever leaves the host out with --limit does.
    """
    hosts = [host for host in _chosen_hosts() if part == "all" or part in host.groups]
    return bool(hosts) and ctx_host.get() is hosts[0]


def _chosen_hosts() -> list[Host]:
    """Return the hosts that this run was asked for, in the inventory's order, also those that have a fault."""
    inventory = ctx_inventory.get()
    return [host for host in inventory if inventory.state.is_host_in_limit(host)]


def _address(host: Host) -> str:
    return str(host.data.get("private_address") or host.data.get("ssh_hostname") or host.name)
