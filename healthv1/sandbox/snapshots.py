"""A host's state is kept under a name, and given back in seconds as an overlay clone: same address, same keys.

Snapshots live with their sandbox: what a host has learnt of it (passwords, certificates) is true nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable

from healthv1.errors import Fault, SandboxError
from healthv1.sandbox import boot, lifecycle
from healthv1.sandbox.addresses import allot
from healthv1.sandbox.description import Host, load
from healthv1.sandbox.locks import locked, quiet
from healthv1.sandbox.place import Sandbox
from healthv1.sandbox.reach import await_boot
from healthv1.sandbox.servers import s3

FRESH = "fresh"
"""The snapshot that every sandbox has: the server as it was handed over."""


def snapshot(sandbox: Sandbox, name: str, say: Callable[[str], None] = quiet) -> None:
    """Shut all hosts down in order, keep their state under `name`, and boot them again as clones of it."""
    hosts = load(sandbox.name).hosts
    with locked(sandbox.lock, say):
        _refuse_snapshot(sandbox, name)
        say(f"Take the snapshot {name} of {', '.join(host.name for host in hosts)}")
        for host in hosts:
            boot.stop(sandbox, host.name)
        for host in hosts:
            _keep(sandbox, name, host)
        s3.keep(sandbox, sandbox.snapshots / name)
        (sandbox.snapshots / name / "whole").touch()
        _boot(sandbox, hosts)


def reset(
    sandbox: Sandbox,
    name: str = FRESH,
    *,
    only: str = "",
    disk_size: str = "",
    say: Callable[[str], None] = quiet,
) -> None:
    """Throw away what the hosts (or the one named) became, and boot them as they were in the snapshot.

    With a `disk_size` ("300M"), that much is free on them.
    """
    sandbox_now = load(sandbox.name)
    hosts = (sandbox_now.host(only),) if only else sandbox_now.hosts
    with locked(sandbox.lock, say):
        if name != FRESH and name not in snapshot_names(sandbox):
            names = ", ".join([FRESH, *snapshot_names(sandbox)])
            raise SandboxError(Fault(name, f"is no snapshot of {sandbox.name}.", f"choose one of {names}"))
        say(f"Reset {', '.join(host.name for host in hosts)} to {name}")
        for host in hosts:
            boot.kill(sandbox, host.name)
            _clone(sandbox, name, host, disk_size)
        if only in {"", sandbox_now.hosts[0].name}:  # the database's
            s3.give_back(sandbox, allot(sandbox), sandbox.snapshots / name)
        _boot(sandbox, hosts)


def snapshot_names(sandbox: Sandbox) -> list[str]:
    """Return the names of the snapshots that are whole."""
    return sorted(path.parent.name for path in sandbox.snapshots.glob("*/whole"))


def _refuse_snapshot(sandbox: Sandbox, name: str) -> None:
    limited = [path.parent.name for path in sandbox.hosts.glob("*/disk")]
    if limited:
        raise SandboxError(Fault(", ".join(limited), "cannot be kept: only hosts without a disk_size can."))
    if name == FRESH or (sandbox.snapshots / name).exists():
        raise SandboxError(Fault(name, f"is a snapshot of {sandbox.name} already.", "choose another name"))


def _keep(sandbox: Sandbox, name: str, host: Host) -> None:
    kept = sandbox.snapshots / name / host.name
    kept.mkdir(parents=True)
    directory = sandbox.host(host.name)
    below = (directory / "lower").read_text(encoding="utf-8")
    (directory / "layer/upper").rename(kept / "upper")
    (kept / "lower").write_text(f"{kept / 'upper'}:{below}", encoding="utf-8")
    _clone(sandbox, name, host, disk_size="")


def _clone(sandbox: Sandbox, name: str, host: Host, disk_size: str) -> None:
    if name == FRESH:
        lifecycle.renew(sandbox, host.name, disk_size)
    else:
        lower = (sandbox.snapshots / name / host.name / "lower").read_text(encoding="utf-8")
        boot.create(sandbox, host.name, lower, disk_size)


def _boot(sandbox: Sandbox, hosts: tuple[Host, ...]) -> None:
    addresses = allot(sandbox)
    for host in hosts:
        boot.start(sandbox, addresses, host.name)
    for host in hosts:
        await_boot(sandbox, host)
