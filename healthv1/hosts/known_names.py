"""Refuses unknown names in inventories and group_data: a typo would otherwise have no effect, and no error."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pyinfra.api.inventory import Inventory
from pyinfra.connectors.base import BaseConnector
from pyinfra.connectors.ssh import SSHConnector

from deploys.component import Settings
from deploys.this_host import KEYS, PARTS
from healthv1.errors import Fault

OWN = "own_names"
"""The setting in group_data that lists names of a team's own: groups, and keys that its own deploys read."""


Source = tuple[str, Mapping[str, Any]]
"""A file, or a host in one, and the values that it gives names to."""


def sources(inventory: Inventory, environment: str) -> list[Source]:
    """Return all values of the inventory and of group_data, with their files."""
    return [
        *((f"inventories/{environment}.py: {host.name}", host.host_data) for host in inventory),
        ("group_data/all.py", inventory.get_data()),
        *((f"group_data/{group}.py", inventory.get_group_data(group)) for group in inventory.groups),
    ]


def own_names(data: Iterable[Source]) -> set[str]:
    """Return the names that a team declares as its own."""
    return {name for _, values in data for name in values.get(OWN, ())}


def unknown_names(inventory: Inventory, environment: str) -> Iterator[Fault]:
    """Yield a fault for each group, host key and setting that has no reader."""
    data = sources(inventory, environment)
    own = own_names(data)
    connectors: list[type[BaseConnector]] = [SSHConnector, *(host.connector_cls for host in inventory)]
    known_keys = {*KEYS, OWN, *(key for connector in connectors for key in connector.data_cls.__annotations__)}
    yield from _groups(inventory, environment, own)
    for where, values in data:
        for name, value in values.items():
            yield from (
                _setting(where, name, value) if isinstance(value, Settings) else _key(where, name, known_keys | own)
            )


def _groups(inventory: Inventory, environment: str, own: set[str]) -> Iterator[Fault]:
    for group, hosts in inventory.groups.items():
        is_known = group in {*PARTS, environment, *own} or group.startswith("@")
        if hosts and not is_known:
            yield _fault(f"inventories/{environment}.py: {group}", "It is no part of a deployment.", group, PARTS)


def _setting(where: str, name: str, value: Settings) -> Iterator[Fault]:
    read_as = type(value).__name__.lower()
    if name != read_as:
        what = f"Nobody reads {type(value).__name__} under this name."
        yield Fault(f"{where}: {name}", what, f"did you mean {read_as}?")


def _key(where: str, name: str, known_names: set[str]) -> Iterator[Fault]:
    # pyinfra's own arguments begin with an underscore, and so does what is private to a file.
    if not name.startswith("_") and name not in known_names:
        yield _fault(f"{where}: {name}", "Nobody reads this name.", name, known_names)


def _fault(where: str, what: str, name: str, known_names: Iterable[Any]) -> Fault:
    close = difflib.get_close_matches(name, list(known_names), n=1, cutoff=0.6)
    own = f'a name of your own: add {OWN} = ("{name}",) to group_data'
    return Fault(where, what, f"did you mean {close[0]}?" if close else own)
