"""Reboots a host, cuts its power, freezes it, and brings it back."""

from __future__ import annotations

from healthv1.errors import Fault
from healthv1.sandbox import boot, cgroups
from healthv1.sandbox.addresses import allot
from healthv1.sandbox.description import Host
from healthv1.sandbox.place import Sandbox
from healthv1.sandbox.reach import await_boot, boot_id, on_host
from healthv1.sandbox.waiting import until


def reboot(sandbox: Sandbox, host: Host) -> None:
    """Reboot it from within, and wait until it is another boot that answers."""
    before = boot_id(host)
    on_host(host, "sudo systemctl reboot")
    fault = Fault(host.name, "did not come back from its reboot.", f"read {sandbox.host(host.name) / 'console.log'}")
    until(lambda: boot_id(host) not in ("", before), fault, seconds=90, pause=0.2)
    await_boot(sandbox, host)


def cut(sandbox: Sandbox, host: Host) -> None:
    """Cut its power. Nothing restarts it."""
    boot.kill(sandbox, host.name)


def restore(sandbox: Sandbox, host: Host) -> None:
    """Boot a host that lost its power, with the disk it had."""
    if not boot.alive(sandbox, host.name):
        boot.start(sandbox, allot(sandbox), host.name)
    await_boot(sandbox, host)


def pause(sandbox: Sandbox, host: Host) -> None:
    """Freeze it: connections hang, as to a server that nothing is heard of."""
    cgroups.freeze(cgroups.make(sandbox.name, host.name), frozen=True)


def resume(sandbox: Sandbox, host: Host) -> None:
    cgroups.freeze(cgroups.make(sandbox.name, host.name), frozen=False)
