"""An inventory with its group_data, or every fault in them at once."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pyinfra
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra.context import ctx_inventory
from pyinfra_cli import inventory as pyinfra_inventory
from pyinfra_cli.exceptions import UnexpectedExternalError
from pyinfra_cli.inventory import _get_group_data as _read_group_data
from pyinfra_cli.inventory import make_inventory_from_files

from deploys.component import collecting_faults
from healthv1 import project
from healthv1.engine.connector import FastSSH
from healthv1.engine.economy import MergedData
from healthv1.engine.forms import formless_settings
from healthv1.engine.known_names import unknown_names
from healthv1.errors import Fault, Refused
from healthv1.secrets.kept import Kept


@dataclass(frozen=True)
class Stranger:
    """A host that the inventory does not name, and that one command is about all the same."""

    name: str
    data: Mapping[str, Any] = field(default_factory=dict)
    """As an inventory would have it. How the other hosts are reached counts where this says nothing."""


def load(environment: str, strangers: Iterable[Stranger] = ()) -> Inventory:
    """Return the hosts of `environment`, each with our connector. Nothing has been connected yet."""
    path = project.inventory_file(environment)
    pyinfra.is_cli = True  # group_data lies beside the inventory, and operations are told apart by their lines
    vars(pyinfra_inventory).update(_get_group_data=_group_data)
    with collecting_faults() as faults:
        try:
            inventory: Inventory = make_inventory_from_files(str(path), {}, cwd=str(project.root()))
        except SyntaxError as error:
            faults.append(_fault_in(str(error.filename), error.lineno, f"{error.msg}."))
        except UnexpectedExternalError as error:
            faults.extend(_faults_of(error))
    Refused.unless(dict.fromkeys(faults))
    if not len(inventory):
        raise Refused(Fault(f"inventories/{path.name}", "It names no host.", "add one to a group"))
    Refused.unless([*unknown_names(inventory, environment), *formless_settings(inventory, environment)])
    for stranger in strangers:
        _add(inventory, environment, stranger)
    for host in inventory:
        host.data = MergedData(host)
        backend = host.data.get("secrets")
        if isinstance(backend, Kept):
            backend.environment = environment
        if host.connector_cls.__name__ == "SSHConnector":
            host.connector_cls = FastSSH
    return inventory


def _add(inventory: Inventory, environment: str, stranger: Stranger) -> None:
    """Have a host with the environment's group_data, that plays no part."""
    first = next(iter(inventory))
    ways = {name: value for name, value in first.host_data.items() if name.startswith("ssh_")}
    inventory.host_data[stranger.name] = {**ways, **stranger.data}
    inventory.hosts[stranger.name] = Host(
        stranger.name, inventory=inventory, groups=[environment], connector_cls=FastSSH
    )


def _group_data(folder: str) -> dict[str, dict[str, Any]]:
    """Read the files of the groups that the inventory has: a fault in another environment's is no matter."""
    groups = {"all", *ctx_inventory.get().groups}
    files = sorted(path for path in Path(folder).glob("*.py") if path.stem in groups)
    return {group: values for path in files for group, values in _read_group_data(str(path)).items()}


def chosen(inventory: Inventory, limit: tuple[str, ...]) -> list[Host]:
    """Return the hosts that match `limit` (names, patterns or groups); all of them when there is none."""
    known = list(inventory)
    if not limit:
        return known
    matches = {pattern: [host for host in known if _matches(host, pattern)] for pattern in limit}
    names = ", ".join(host.name for host in known)
    Refused.unless(
        Fault(f"--limit {pattern}", "No host or group matches.", f"hosts: {names}")
        for pattern, hosts in matches.items()
        if not hosts
    )
    return [host for host in known if any(host in hosts for hosts in matches.values())]


def _matches(host: Host, pattern: str) -> bool:
    return pattern in host.groups or fnmatch(host.name, pattern)


def _faults_of(error: UnexpectedExternalError) -> Iterator[Fault]:
    cause = error.exception
    if isinstance(cause, Refused):
        yield from cause.faults
    else:
        # What failed may be a library that the file called: the user's own line is the one to be looked at.
        frames = [frame for frame in traceback.extract_tb(cause.__traceback__) if frame.filename == error.filename]
        line = frames[-1].lineno if frames else None
        yield _fault_in(str(error.filename), line, f"{type(cause).__name__}: {cause}.")


def _fault_in(file: str, line: int | None, what: str) -> Fault:
    where = file.removeprefix(f"{project.root()}/")
    return Fault(f"{where}:{line}" if line else where, what, "correct the file")
