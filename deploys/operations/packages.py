"""Packages of the host's distribution. An installation that was cut short is mended before the next begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.apt import INSTALL, MEND
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
from deploys.foretold import Foretold, judged, left_in_halves, would_go
from deploys.operations.change import Change, Commands
from deploys.operations.forecast import forecast
from deploys.operations.foreign import refuse_foreign
from deploys.repositories import left_out, missed


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
    would, besides, effect = plan.recall(f"packages {operation}", lambda: _asked(operation, missing))
    for name in missing:
        why = f"brings {', '.join(besides)}" if besides and name == missing[0] else ""
        effects = effect if name == missing[0] else ""
        plan.announce(Change("package", name, "install", why, becomes=would.told(name), effect=effects))
    upgraded = "\n".join(one.name for one in would.installed if one.was)
    exact = (f"{name}={version}" if (version := would.version(name)) else name for name in missing)
    words = (QuoteString(word) for word in (upgraded, *exact))
    yield StringCommand("sh", "-c", QuoteString(INSTALL), "install", *words)


def _asked(operation: str, missing: Sequence[str]) -> tuple[Foretold, list[str], str]:
    """Return what apt would do, and what no other operation names: what it brings, which repositories are left out.

    Raises `Refused`.
    """
    repositories, plan = host.get_fact(RepositoriesRead), forecast()
    would = host.get_fact(Installation, packages=tuple(missing))
    _, theirs = _in_halves()
    # What an earlier operation of this plan removes, it has named.
    would = replace(would, removed=tuple(name for name in would.removed if not plan.pending(name)))
    refuse_foreign([*theirs, *judged(would, missing), *missed(would, missing, repositories)])
    others = [one for one in would.installed if one.name not in missing]
    besides = [str(one) for one in others if plan.reserve(f"package {one.name}", operation)]
    unread = [one for one in repositories.unread if plan.reserve(f"repository {one.name}", operation)]
    return would, besides, left_out(unread)


def _in_halves() -> tuple[list[Interrupted], list[Foreign]]:
    """Return what was cut short and can be had again, and what somebody installed by hand and left like that."""
    broken, ours = host.get_fact(InterruptedPackages), _being_installed()
    had = [one for one in broken if one.had or one.name in ours or one.state.startswith("triggers")]
    return had, [left_in_halves(one.name, one.state) for one in broken if one not in had]


def _being_installed() -> tuple[str, ...]:
    return tuple(host.get_fact(Marks).get("packages", "").split())


@operation()
def mended() -> Commands:
    """Finish an installation that was cut short. What it would remove is ours, or is refused."""
    broken, theirs = _in_halves()
    if not broken:
        host.noop("no package that a source has is in halves")
        return
    ours = _being_installed()
    removed = host.get_fact(Repair)
    refuse_foreign(theirs or [would_go(name) for name in removed if name not in ours])
    why = "an earlier installation was cut short"
    plan = forecast()
    for one in broken:
        plan.reserve(f"package {one.name}", "mended")
        plan.announce(Change("package", one.name, "configure", why, was=one.state, becomes="installed"))
    yield StringCommand("sh", "-c", QuoteString(MEND), "mend", QuoteString("\n".join(removed)))
