"""What apt says that it would do, and what of it is nobody's to do but the host's owner."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from deploys.foreign import Foreign

DISTRIBUTION = frozenset({"Debian", "Debian-Security", "Debian Backports", "Ubuntu", "UbuntuESM", "UbuntuESMApps"})
"""Labels of the distributions' own archives."""

# A package, its version now in brackets if it is installed, and in parentheses the new one, its archives and its kind.
_INST = re.compile(r"Inst (\S+)(?: \[([^\]]*)\])? \((\S+)(?: (.*?))? \[[^\]]*\]\)")
_REMV = re.compile(r"Remv (\S+)")


@dataclass(frozen=True)
class Installed:
    """One package that apt would install or upgrade."""

    name: str
    version: str
    was: str = ""
    """Its version now, if it is installed."""
    source: str = ""
    """Where it comes from, if that is not the distribution: "https://… stable/main (Vendor:1/stable)"."""

    def __str__(self) -> str:
        if not (self.was or self.source):
            return self.name
        return f"{self.name} {self.was + ' → ' if self.was else ''}{self.described}"

    @property
    def described(self) -> str:
        return f"{self.version} from {self.source}" if self.source else self.version


@dataclass(frozen=True)
class Simulation:
    installed: tuple[Installed, ...] = ()
    removed: tuple[str, ...] = ()
    lowered: tuple[str, ...] = ()
    """Those of the installed that would go back to a lower version."""
    candidates: dict[str, str] = field(default_factory=dict)
    """Name to version, where apt could not say what it would do."""
    held: tuple[str, ...] = ()
    """What the owner has told apt to leave as it is."""
    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Name to each place that has the version which apt would take: "http://… stable/main"."""
    complaint: str = ""
    """Why apt could not say."""

    def version(self, name: str) -> str:
        """Return the version that would be installed; empty where that is not known."""
        return next((one.version for one in self.installed if one.name == name), self.candidates.get(name, ""))

    def described(self, name: str) -> str:
        return next((one.described for one in self.installed if one.name == name), self.candidates.get(name, ""))


def read_simulation(lines: Iterable[str]) -> Simulation:
    """Return what apt's simulation, `apt-cache policy` and `apt-mark showhold` said."""
    said: dict[str, list[str]] = {kind: [] for kind in ("Inst", "Remv", "Down", "Cand", "From", "Hold", "Said")}
    for line in lines:
        said.setdefault(line[:4], []).append(line)
    sources: dict[str, tuple[str, ...]] = {}
    for name, _, source in (line[5:].partition(" ") for line in said["From"]):
        sources[name] = (*sources.get(name, ()), source)
    return Simulation(
        installed=tuple(_installed(match, sources) for line in said["Inst"] if (match := _INST.match(line))),
        removed=tuple(match[1] for line in said["Remv"] if (match := _REMV.match(line))),
        lowered=tuple(line[5:] for line in said["Down"]),
        candidates=dict(line[5:].split(" ", 1) for line in said["Cand"]),
        held=tuple(line[5:] for line in said["Hold"]),
        sources=sources,
        complaint="\n".join(line[5:] for line in said["Said"]),
    )


def _installed(match: re.Match[str], sources: dict[str, tuple[str, ...]]) -> Installed:
    name, was, version, archives = (part or "" for part in match.groups())
    labels = {archive.partition(":")[0] for archive in archives.split(", ")}
    away = f"{sources.get(name, ('another source',))[0]} ({archives or 'no archive'})"
    return Installed(name, version, was, "" if labels & DISTRIBUTION else away)


def refusals(simulation: Simulation, names: Iterable[str]) -> Iterator[Foreign]:
    """Yield what apt must not do to install `names`."""
    to = f"To install {', '.join(names)}, apt would have to"
    for name in simulation.removed:
        what, out = "It does not go together with what we need.", f"if nobody needs it: apt-get remove {name}"
        yield Foreign(f"package {name}", what, f"{to} remove it.", out)
    for one in simulation.installed:
        if one.name in simulation.held:
            yield _held(one.name, f"{to} {'change' if one.was else 'install'} it.")
        elif one.was and (one.source or one.name in simulation.lowered):
            what = f"{one.was} is installed, and {one.described} is what the host's sources prefer."
            out = f"if that is meant: apt-get install {one.name}"
            yield Foreign(f"package {one.name}", what, f"{to} replace it.", out)
    for name in simulation.held:
        if re.search(rf"(?<![\w.+-]){re.escape(name)}(?![\w+-])", simulation.complaint):
            yield _held(name, f"{to} change it.")


def _held(name: str, follows: str) -> Foreign:
    return Foreign(f"package {name}", "Its owner holds it back.", follows, f"let it go: apt-mark unhold {name}")


def half_installed(name: str, state: str) -> Foreign:
    what = f"It is {state}, and no source of the host has it: somebody installed it by hand."
    follows = "Until it is whole, apt installs nothing, or would remove it."
    out = f"install what it needs, then: dpkg --configure {name}; or remove it: dpkg --remove {name}"
    return Foreign(f"package {name}", what, follows, out)


def removal(name: str) -> Foreign:
    what = "An installation on the host was cut short, and it does not go together with what is there."
    follows = "To finish it, apt would remove it."
    return Foreign(f"package {name}", what, follows, f"install what it needs, or: apt-get remove {name}")
