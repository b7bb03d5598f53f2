"""A sandbox comes up whole, and goes without trace.

`up` twice is harmless: it starts what has died and leaves the rest alone. `down` undoes an `up` that ended anywhere.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from healthv1.errors import Fault, SandboxError
from healthv1.sandbox import boot, cgroups, description, identity, network, tree
from healthv1.sandbox.addresses import Addresses, allot
from healthv1.sandbox.description import Host, Running
from healthv1.sandbox.locks import locked, quiet
from healthv1.sandbox.place import Sandbox, state_root
from healthv1.sandbox.reach import await_boot
from healthv1.sandbox.requirements import require
from healthv1.sandbox.servers import acme, locked_s3, openbao, s3

DOMAIN = "api.sandbox.test"


@dataclass(frozen=True)
class Shape:
    """What a sandbox was asked to be. To change it, take the sandbox down first."""

    hosts: int = 1
    suite: str = "trixie"
    disk_size: str = ""
    """Of each host's own layer, like "1G"; without it, a host may fill this machine's disk."""
    drill: bool = False
    """With a bare host besides, for restore drills."""
    replacement: bool = False
    """With a bare host besides, to take the database's place."""

    @property
    def roles(self) -> dict[str, str]:
        """Return each host's role by name, in the order of their addresses: none, if it shares the parts."""
        roles = {f"host{position}": "" for position in range(1, self.hosts + 1)}
        roles |= {"drill1": "drill"} if self.drill else {}
        return roles | ({"host1b": "replacement"} if self.replacement else {})

    @property
    def names(self) -> list[str]:
        return list(self.roles)


def up(
    sandbox: Sandbox,
    shape: Shape | None = None,
    say: Callable[[str], None] = quiet,
    *,
    with_locked_s3: bool = False,
) -> Running:
    """Have the sandbox run, in this shape (without one: as it is, or one host of the default suite).

    The locked S3, once asked for, belongs to it until it goes down.
    """
    require(*(locked_s3.PROGRAMS if with_locked_s3 else ()))
    with locked(sandbox.lock, say):
        settled = _settle_shape(sandbox, shape)
        fresh_tree = tree.prepare(settled.suite, say)
        addresses = allot(sandbox)
        network.connect(addresses)
        _start_hosts(sandbox, addresses, settled, fresh_tree, say)
        if with_locked_s3:
            locked_s3.ask_for(sandbox)
        running_sandbox = _start_servers(sandbox, addresses, settled, say)
        for host in running_sandbox.hosts:
            await_boot(sandbox, host)
        description.save(sandbox, running_sandbox)
    return running_sandbox


def down(sandbox: Sandbox, say: Callable[[str], None] = quiet) -> None:
    """Remove every process, mount, link, rule and file of this sandbox. The caches stay."""
    with locked(sandbox.lock, say):
        if not sandbox.state.exists():
            say(f"The sandbox {sandbox.name} is not up")
            return
        say(f"Take the sandbox {sandbox.name} down")
        sandbox.description.unlink(missing_ok=True)
        cgroups.end(sandbox.name)
        addresses = allot(sandbox)
        network.disconnect(addresses)
        boot.remove_leftovers(addresses)
        locked_s3.remove_leftovers(addresses)
        shutil.rmtree(sandbox.state)
        network.restore_forwarding()


def shape_of(sandbox: Sandbox) -> Shape | None:
    if not sandbox.shape.exists():
        return None
    return Shape(**json.loads(sandbox.shape.read_text(encoding="utf-8")))


def renew(sandbox: Sandbox, name: str, disk_size: str) -> None:
    """Give a host the tree of a fresh server, and its identity."""
    shape = shape_of(sandbox) or Shape()
    limited = replace(shape, disk_size=disk_size or shape.disk_size)
    _create(sandbox, allot(sandbox), limited, name, tree.prepare(shape.suite, quiet))


def _settle_shape(sandbox: Sandbox, requested: Shape | None) -> Shape:
    """Return the shape, on record before anything is made of it."""
    current = shape_of(sandbox)
    if current and requested and requested != current:
        what = f"is up with {_words(current)}, not with {_words(requested)}."
        raise SandboxError(Fault(f"sandbox {sandbox.name}", what, "take it down first: healthv1 sandbox down"))
    shape = requested or current or Shape()
    if shape.hosts < 1:
        raise SandboxError(Fault("hosts", "must be at least 1."))
    _private_directory(sandbox.state)
    new = sandbox.shape.with_suffix(".new")
    new.write_text(json.dumps(asdict(shape)), encoding="utf-8")
    new.replace(sandbox.shape)
    return shape


def _words(shape: Shape) -> str:
    size = f" of {shape.disk_size}" if shape.disk_size else ""
    besides = "".join(f" and a {role} host" for role in shape.roles.values() if role)
    return f"{shape.hosts} host{'s' if shape.hosts > 1 else ''}{besides}{size} on {shape.suite}"


def _private_directory(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    state_root().chmod(0o700)


def _start_hosts(
    sandbox: Sandbox, addresses: Addresses, shape: Shape, fresh_tree: Path, say: Callable[[str], None]
) -> None:
    missing = [name for name in shape.names if not boot.alive(sandbox, name)]
    for name in missing:
        if not boot.created(sandbox, name):
            _create(sandbox, addresses, shape, name, fresh_tree)
    identity.pin(sandbox, addresses, shape.names)
    if missing:
        say(f"Boot {', '.join(missing)} ({shape.suite})")
    for name in missing:
        boot.start(sandbox, addresses, name)


def _create(sandbox: Sandbox, addresses: Addresses, shape: Shape, name: str, fresh_tree: Path) -> None:
    sandbox.host(name).mkdir(parents=True, exist_ok=True)
    identity.pack(sandbox, addresses, name, shape.names.index(name) + 1)
    boot.create(sandbox, name, str(fresh_tree), shape.disk_size)


def _start_servers(sandbox: Sandbox, addresses: Addresses, shape: Shape, say: Callable[[str], None]) -> Running:
    say("Start OpenBao, Pebble and S3 beside them")
    openbao.start(sandbox)
    acme.start(sandbox, addresses, edge=shape.hosts)
    s3.start(sandbox, addresses)
    if locked_s3.asked_for(sandbox):
        say("Start the S3 that locks its objects")
        locked_s3.start(sandbox, addresses)
    running_sandbox = Running(
        name=sandbox.name,
        suite=shape.suite,
        domain=DOMAIN,
        gateway=addresses.gateway,
        gateway6=addresses.gateway6,
        hosts=_hosts(sandbox, addresses, shape),
        openbao=openbao.ready(sandbox),
        acme=acme.ready(sandbox, addresses),
        s3=s3.ready(sandbox, addresses),
        locked_s3=locked_s3.ready(sandbox, addresses) if locked_s3.asked_for(sandbox) else None,
    )
    openbao.supply(sandbox, "backup_credentials", s3.credentials(sandbox))
    return running_sandbox


def _hosts(sandbox: Sandbox, addresses: Addresses, shape: Shape) -> tuple[Host, ...]:
    return tuple(
        Host(
            name=name,
            address=addresses.host(position),
            address6=addresses.host6(position),
            user=tree.ADMIN,
            ssh_key=str(sandbox.ssh_key),
            known_hosts=str(sandbox.known_hosts),
            role=role,
        )
        for position, (name, role) in enumerate(shape.roles.items(), 1)
    )
