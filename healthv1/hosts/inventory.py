"""An inventory with its group_data, or every fault in them at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any

from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra_cli.inventory import make_inventory_from_files

from deploys.component import collecting_faults
from healthv1.errors import Fault, Refused
from healthv1.hosts import pyinfra_patches
from healthv1.hosts.connector import FastSSH
from healthv1.hosts.forms import formless_settings
from healthv1.hosts.known_names import unknown_names
from healthv1.hosts.team_files import explained
from healthv1.secrets.backend import Backend
from healthv1.workspace import project


@dataclass(frozen=True)
class UnlistedHost:
    """A host that the inventory does not name, added for one command."""

    name: str
    data: Mapping[str, Any] = field(default_factory=dict)
    """Its data, as in an inventory. Missing SSH settings are those of the other hosts."""


def load(environment: str, unlisted_hosts: Iterable[UnlistedHost] = ()) -> Inventory:
    """Return the hosts of `environment`, each with our connector. Nothing has been connected yet."""
    path = project.inventory_file(environment)
    with collecting_faults() as faults, explained(str(path), faults):
        inventory: Inventory = make_inventory_from_files(str(path), {}, cwd=str(project.root()))
    Refused.unless(dict.fromkeys(faults))
    if not len(inventory):
        raise Refused(Fault(f"inventories/{path.name}", "It names no host.", "add one to a group"))
    Refused.unless([*unknown_names(inventory, environment), *formless_settings(inventory, environment)])
    for unlisted in unlisted_hosts:
        _add_unlisted(inventory, environment, unlisted)
    for host in inventory:
        pyinfra_patches.prepare_host(host, FastSSH)
        backend = host.data.get("secrets")
        if isinstance(backend, Backend):
            backend.environment = environment
    return inventory


def _add_unlisted(inventory: Inventory, environment: str, unlisted: UnlistedHost) -> None:
    """Add a host with the environment's group_data, and in no group of components."""
    first = next(iter(inventory))
    ssh_data = {name: value for name, value in first.host_data.items() if name.startswith("ssh_")}
    inventory.host_data[unlisted.name] = {**ssh_data, **unlisted.data}
    inventory.hosts[unlisted.name] = Host(
        unlisted.name, inventory=inventory, groups=[environment], connector_cls=FastSSH
    )


def chosen(inventory: Inventory, limit: tuple[str, ...]) -> list[Host]:
    """Return the hosts that match `limit` (names, patterns or groups); all of them when there is none."""
    hosts = list(inventory)
    if not limit:
        return hosts
    matches = {pattern: [host for host in hosts if _matches(host, pattern)] for pattern in limit}
    names = ", ".join(host.name for host in hosts)
    Refused.unless(
        Fault(f"--limit {pattern}", "No host or group matches.", f"hosts: {names}")
        for pattern, matching in matches.items()
        if not matching
    )
    return [host for host in hosts if any(host in matching for matching in matches.values())]


def _matches(host: Host, pattern: str) -> bool:
    return pattern in host.groups or fnmatch(host.name, pattern)
