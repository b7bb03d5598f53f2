"""What of a host falls short, all at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from deploys.faults import Fault
from deploys.preflight.settings import GIB, SUPPORTED, Preflight

if TYPE_CHECKING:
    from deploys.facts.machine import Machine

ARCHITECTURES = ("x86_64", "aarch64")
RELAX = "give the host more, or lower preflight.{} in group_data"


def assess(host: str, machine: Machine, settings: Preflight) -> Iterator[Fault]:
    """Yield a fault for each thing that keeps `host` from being deployed to."""
    if (machine.os, machine.release) not in SUPPORTED:
        what = f"{machine.os} {machine.release} is not supported."
        yield Fault(host, what, f"supported: {', '.join(SUPPORTED.values())}")
    if machine.architecture not in ARCHITECTURES:
        yield Fault(host, f"{machine.architecture} is not supported.", f"supported: {', '.join(ARCHITECTURES)}")
    for setting, value, minimum, unit in (
        ("minimum_cores", machine.cores, settings.minimum_cores, "cores"),
        ("minimum_memory", machine.memory / GIB / 0.9, settings.minimum_memory, "GiB of memory"),
        ("minimum_disk", machine.disk / 1e9, settings.minimum_disk, "GB of disk"),
        ("minimum_free", machine.free / 1e9, settings.minimum_free, "GB of free disk"),
    ):
        if value < minimum:
            yield Fault(host, f"{value:.4g} {unit}, {minimum:.4g} are wanted.", RELAX.format(setting))


def clock_faults(
    host: str, machine: Machine, settings: Preflight, operator_now: datetime, *, can_synchronize: bool
) -> Iterator[Fault]:
    """Yield a fault when host and operator do not agree what time it is. Which of them is wrong, neither can know.

    + operator_now: the operator's time.
    + can_synchronize: the host has a program that would keep its clock right.
    """
    if abs(machine.clock_offset) <= settings.clock_tolerance:
        return
    operator_time, host_time = (
        _utc(moment) for moment in (operator_now, operator_now + timedelta(seconds=machine.clock_offset))
    )
    what = (
        f"Its clock says {host_time} UTC, and that of this machine {operator_time}: certificates, leases, logins"
        f" and the journal would be off by {_describe_duration(abs(machine.clock_offset))}."
    )
    enable_sync = "timedatectl set-ntp true" if can_synchronize else "apt-get install -y systemd-timesyncd"
    yield Fault(
        host, what, f"if this machine's is right, run there as root: date -u -s '{operator_time}' && {enable_sync}"
    )


def _utc(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def _describe_duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
