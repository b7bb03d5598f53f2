"""What of a host falls short, all at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deploys.faults import Fault
from deploys.preflight.settings import GIB, SUPPORTED, Preflight

if TYPE_CHECKING:
    from deploys.facts.machine import Machine

ARCHITECTURES = ("x86_64", "aarch64")
RELAX = "give the host more, or lower preflight.{} in group_data"


def assess(host: str, machine: Machine, wanted: Preflight) -> Iterator[Fault]:
    """Yield a fault for each thing that keeps `host` from being deployed to."""
    if (machine.os, machine.release) not in SUPPORTED:
        what = f"{machine.os} {machine.release} is not supported."
        yield Fault(host, what, f"supported: {', '.join(SUPPORTED.values())}")
    if machine.architecture not in ARCHITECTURES:
        yield Fault(host, f"{machine.architecture} is not supported.", f"supported: {', '.join(ARCHITECTURES)}")
    for setting, found, minimum, unit in (
        ("minimum_cores", machine.cores, wanted.minimum_cores, "cores"),
        ("minimum_memory", machine.memory / GIB / 0.9, wanted.minimum_memory, "GiB of memory"),
        ("minimum_disk", machine.disk / 1e9, wanted.minimum_disk, "GB of disk"),
        ("minimum_free", machine.free / 1e9, wanted.minimum_free, "GB of free disk"),
    ):
        if found < minimum:
            yield Fault(host, f"{found:.4g} {unit}, {minimum:.4g} are wanted.", RELAX.format(setting))
