"""Packages of the host's distribution. An installation that was cut short is mended before the next begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.apt import INSTALL, REPAIR
from deploys.apt_simulation import Simulation, half_installed_conflict, install_conflicts, removal_conflict
from deploys.facts.marks import Marks
from deploys.facts.packages import (
    InstalledPackages,
    InstallSimulation,
    InterruptedPackage,
    InterruptedPackages,
    PackagesToRemove,
    RepositoryStates,
)
from deploys.foreign import Foreign
from deploys.operations.change import Change, Commands
from deploys.operations.forecast import forecast
from deploys.operations.foreign import refuse_foreign
from deploys.repositories import describe_unread, missing_package_conflicts


@operation()
def packages(names: tuple[str, ...]) -> Commands:
    """Have each package installed, in the version that the host's sources prefer: the plan's, or none.

    What apt would do besides is asked first: what it brings and upgrades is told, and it removes nothing.
    """
    installed, plan = host.get_fact(InstalledPackages, packages=names), forecast()
    operation = " ".join(names)
    # Another component may bring it, or the end of an installation that was cut short.
    missing = [name for name in names if name not in installed and plan.reserve(f"package {name}", operation)]
    if not missing:
        host.noop("all packages are installed")
        return
    simulation, dependencies, effect = plan.recall(f"packages {operation}", lambda: _simulate(operation, missing))
    for name in missing:
        why = f"brings {', '.join(dependencies)}" if dependencies and name == missing[0] else ""
        effects = effect if name == missing[0] else ""
        plan.announce(Change("package", name, "install", why, becomes=simulation.described(name), effect=effects))
    upgraded = "\n".join(package.name for package in simulation.installed if package.old_version)
    exact = (f"{name}={version}" if (version := simulation.version(name)) else name for name in missing)
    words = (QuoteString(word) for word in (upgraded, *exact))
    yield StringCommand("sh", "-c", QuoteString(INSTALL), "install", *words)


def _simulate(operation: str, missing: Sequence[str]) -> tuple[Simulation, list[str], str]:
    """Return what apt would do, and what no other operation names: what it brings, which repositories are left out.

    Raises `Refused`.
    """
    repositories, plan = host.get_fact(RepositoryStates), forecast()
    simulation = host.get_fact(InstallSimulation, packages=tuple(missing))
    _, foreign = _half_installed()
    # What an earlier operation of this plan removes, it has named.
    simulation = replace(simulation, removed=tuple(name for name in simulation.removed if not plan.pending(name)))
    refuse_foreign(
        [
            *foreign,
            *install_conflicts(simulation, missing),
            *missing_package_conflicts(simulation, missing, repositories),
        ]
    )
    other_packages = [package for package in simulation.installed if package.name not in missing]
    dependencies = [str(package) for package in other_packages if plan.reserve(f"package {package.name}", operation)]
    unread = [package for package in repositories.unread if plan.reserve(f"repository {package.name}", operation)]
    return simulation, dependencies, describe_unread(unread)


def _half_installed() -> tuple[list[InterruptedPackage], list[Foreign]]:
    """Return what was cut short and can be had again, and what somebody installed by hand and left like that."""
    interrupted, our_packages = host.get_fact(InterruptedPackages), _our_unfinished_packages()
    repairable = [
        package
        for package in interrupted
        if package.is_available or package.name in our_packages or package.state.startswith("triggers")
    ]
    return repairable, [
        half_installed_conflict(package.name, package.state) for package in interrupted if package not in repairable
    ]


def _our_unfinished_packages() -> tuple[str, ...]:
    return tuple(host.get_fact(Marks).get("packages", "").split())


@operation()
def repair_packages() -> Commands:
    """Finish an installation that was cut short. What it would remove is ours, or is refused."""
    interrupted, foreign = _half_installed()
    if not interrupted:
        host.noop("no package that a source has is in halves")
        return
    our_packages = _our_unfinished_packages()
    removals = host.get_fact(PackagesToRemove)
    refuse_foreign(foreign or [removal_conflict(name) for name in removals if name not in our_packages])
    why = "an earlier installation was cut short"
    plan = forecast()
    for package in interrupted:
        plan.reserve(f"package {package.name}", "mended")
        plan.announce(Change("package", package.name, "configure", why, was=package.state, becomes="installed"))
    yield StringCommand("sh", "-c", QuoteString(REPAIR), "mend", QuoteString("\n".join(removals)))
