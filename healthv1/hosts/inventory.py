"""An inventory with its group_data, or every fault in them at once."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
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
from healthv1.errors import Fault, Refused
from healthv1.hosts.connector import FastSSH
from healthv1.hosts.forms import formless_settings
from healthv1.hosts.known_names import unknown_names
from healthv1.hosts.pyinfra_patches import MergedData
from healthv1.secrets.backend import Backend
from healthv1.workspace import project


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
    with collecting_faults() as faults, _explained(str(path), faults):
        inventory: Inventory = make_inventory_from_files(str(path), {}, cwd=str(project.root()))
    Refused.unless(dict.fromkeys(faults))
    if not len(inventory):
        raise Refused(Fault(f"inventories/{path.name}", "It names no host.", "add one to a group"))
    Refused.unless([*unknown_names(inventory, environment), *formless_settings(inventory, environment)])
    for stranger in strangers:
        _add(inventory, environment, stranger)
    for host in inventory:
        host.data = MergedData(host)
        backend = host.data.get("secrets")
        if isinstance(backend, Backend):
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
    """Read the files of the groups that the inventory has: a fault in another environment's is no matter.

    Raises `Refused` with the faults of all of them.
    """
    groups = {"all", *ctx_inventory.get().groups}
    by_group: dict[str, dict[str, Any]] = {}
    faults: list[Fault] = []
    files: list[Path] = []
    with _explained(folder, faults), suppress(FileNotFoundError):
        files = sorted(Path(folder).iterdir())  # glob() takes an unreadable folder for an empty one
    for path in (path for path in files if path.suffix == ".py" and path.stem in groups):
        with _explained(str(path), faults):
            by_group |= _read_group_data(str(path))
    Refused.unless(faults)
    return by_group


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


@contextmanager
def _explained(file: str, faults: list[Fault]) -> Iterator[None]:
    """Add to `faults` why a file of the team's cannot be read."""
    try:
        yield
    except Refused as refusal:
        faults.extend(refusal.faults)
    except UnexpectedExternalError as error:
        faults.extend(_faults_of(error))
    except SyntaxError as error:
        faults.append(_fault_in(error.filename or file, error.lineno, f"{error.msg}."))
    except SystemExit as end:
        faults.append(_fault_in(file, _line(file, end), "It ends the program, which is not for settings to do."))
    except UnicodeDecodeError:
        faults.append(_fault_in(file, None, "It is no text in UTF-8."))
    except OSError as error:
        what = f"It cannot be read ({error.strerror})."
        faults.append(Fault(_shown(file), what, "make it readable for whoever runs this"))
    except Exception as error:  # noqa: BLE001 - pyinfra trusts that hosts are in the right form
        hint = "write each group as a list of names, or of pairs: (name, {key: value})"
        faults.append(Fault(_shown(file), f"Its hosts cannot be read ({type(error).__name__}: {error}).", hint))


def _line(file: str, error: BaseException) -> int | None:
    """Return the last line of the file that led to the error: what failed may be a library that the file called."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return frames[-1].lineno if frames else None


def _faults_of(error: UnexpectedExternalError) -> Iterator[Fault]:
    cause = error.exception
    if isinstance(cause, Refused):
        yield from cause.faults
    else:
        file = str(error.filename)
        yield _fault_in(file, _line(file, cause), f"{type(cause).__name__}: {cause}.")


def _fault_in(file: str, line: int | None, what: str) -> Fault:
    return Fault(f"{_shown(file)}:{line}" if line else _shown(file), what, "correct the file")


def _shown(file: str) -> str:
    return file.removeprefix(f"{project.root()}/")
