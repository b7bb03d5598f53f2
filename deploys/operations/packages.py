"""Packages of the host's distribution. An installation that was cut short is mended before the next begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.apt import INSTALL, MEND
from deploys.apt_simulation import Simulation, half_installed, refusals, removal
from deploys.facts.marks import Marks
from deploys.facts.packages import (
    Installation,
    InstalledPackages,
    Interrupted,
    InterruptedPackages,
    Repair,
    RepositoriesRead,
)
from deploys.foreign import Foreign
from deploys.operations.change import Change, Commands
from deploys.operations.forecast import forecast
from deploys.operations.foreign import refuse_foreign
from deploys.repositories import skipped, unavailable


@operation()
def packages(names: tuple[str, ...]) -> Commands:
    """Have each package installed, in the version that the host's sources prefer: the plan's, or none.

    What apt would do besides is asked first: what it brings and upgrades is told, and it removes nothing.
    """
    found, plan = host.get_fact(InstalledPackages, packages=names), forecast()
    operation = " ".join(names)
    # Another component may bring it, or the end of an installation that was cut short.
    missing = [name for name in names if name not in found and plan.reserve(f"package {name}", operation)]
    if not missing:
        host.noop("all packages are installed")
        return
    simulation, dependencies, effect = plan.recall(f"packages {operation}", lambda: _simulated(operation, missing))
    for name in missing:
        why = f"brings {', '.join(dependencies)}" if dependencies and name == missing[0] else ""
        effects = effect if name == missing[0] else ""
        plan.announce(Change("package", name, "install", why, becomes=simulation.described(name), effect=effects))
    upgraded = "\n".join(one.name for one in simulation.installed if one.was)
    exact = (f"{name}={version}" if (version := simulation.version(name)) else name for name in missing)
    words = (QuoteString(word) for word in (upgraded, *exact))
    yield StringCommand("sh", "-c", QuoteString(INSTALL), "install", *words)


def _simulated(operation: str, missing: Sequence[str]) -> tuple[Simulation, list[str], str]:
    """Return what apt would do, and what no other operation names: what it brings, which repositories are left out.

    Raises `Refused`.
    """
    repositories, plan = host.get_fact(RepositoriesRead), forecast()
    simulation = host.get_fact(Installation, packages=tuple(missing))
    _, theirs = _half_installed()
    # What an earlier operation of this plan removes, it has named.
    simulation = replace(simulation, removed=tuple(name for name in simulation.removed if not plan.pending(name)))
    refuse_foreign([*theirs, *refusals(simulation, missing), *unavailable(simulation, missing, repositories)])
    others = [one for one in simulation.installed if one.name not in missing]
    dependencies = [str(one) for one in others if plan.reserve(f"package {one.name}", operation)]
    unread = [one for one in repositories.unread if plan.reserve(f"repository {one.name}", operation)]
    return simulation, dependencies, skipped(unread)


def _half_installed() -> tuple[list[Interrupted], list[Foreign]]:
    """Return what was cut short and can be had again, and what somebody installed by hand and left like that."""
    half, ours = host.get_fact(InterruptedPackages), _ours_unfinished()
    had = [one for one in half if one.had or one.name in ours or one.state.startswith("triggers")]
    return had, [half_installed(one.name, one.state) for one in half if one not in had]


def _ours_unfinished() -> tuple[str, ...]:
    return tuple(host.get_fact(Marks).get("packages", "").split())


@operation()
def repair_packages() -> Commands:
    """Finish an installation that was cut short. What it would remove is ours, or is refused."""
    half, theirs = _half_installed()
    if not half:
        host.noop("no package that a source has is in halves")
        return
    ours = _ours_unfinished()
    removed = host.get_fact(Repair)
    refuse_foreign(theirs or [removal(name) for name in removed if name not in ours])
    why = "an earlier installation was cut short"
    plan = forecast()
    for one in half:
        plan.reserve(f"package {one.name}", "mended")
        plan.announce(Change("package", one.name, "configure", why, was=one.state, becomes="installed"))
    yield StringCommand("sh", "-c", QuoteString(MEND), "mend", QuoteString("\n".join(removed)))
