"""The result of apt's simulation, and the changes in it that only the host's owner may make."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from deploys.foreign import Foreign

DISTRIBUTION = frozenset({"Debian", "Debian-Security", "Debian Backports", "Ubuntu", "UbuntuESM", "UbuntuESMApps"})
"""Labels of the distributions' own archives."""

# Name, [installed version], (new version, archives, [architecture]).
_INST = re.compile(r"Inst (\S+)(?: \[([^\]]*)\])? \((\S+)(?: (.*?))? \[[^\]]*\]\)")
_REMV = re.compile(r"Remv (\S+)")


@dataclass(frozen=True)
class Installed:
    """One package that apt would install or upgrade."""

    name: str
    version: str
    old_version: str = ""
    """The installed version; empty if it is not installed."""
    source: str = ""
    """Its repository, unless that is the distribution's: "https://… stable/main (Vendor:1/stable)"."""

    def __str__(self) -> str:
        if not (self.old_version or self.source):
            return self.name
        return f"{self.name} {self.old_version + ' → ' if self.old_version else ''}{self.described}"

    @property
    def described(self) -> str:
        return f"{self.version} from {self.source}" if self.source else self.version


@dataclass(frozen=True)
class Simulation:
    installed: tuple[Installed, ...] = ()
    removed: tuple[str, ...] = ()
    downgraded: tuple[str, ...] = ()
    """Packages that would get a lower version."""
    candidates: dict[str, str] = field(default_factory=dict)
    """Name to candidate version, where the simulation failed."""
    held_back: tuple[str, ...] = ()
    """Packages on hold (apt-mark hold)."""
    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Name to the repositories with the candidate version: "http://… stable/main"."""
    error: str = ""
    """apt's error output."""

    def version(self, name: str) -> str:
        """Return the version to be installed; empty if unknown."""
        return next(
            (package.version for package in self.installed if package.name == name), self.candidates.get(name, "")
        )

    def described(self, name: str) -> str:
        return next(
            (package.described for package in self.installed if package.name == name), self.candidates.get(name, "")
        )


def read_simulation(lines: Iterable[str]) -> Simulation:
    """Parse the output of apt's simulation, `apt-cache policy` and `apt-mark showhold`."""
    lines_by_kind: dict[str, list[str]] = {
        kind: [] for kind in ("Inst", "Remv", "Down", "Cand", "From", "Hold", "Said")
    }
    for line in lines:
        lines_by_kind.setdefault(line[:4], []).append(line)
    sources: dict[str, tuple[str, ...]] = {}
    for name, _, source in (line[5:].partition(" ") for line in lines_by_kind["From"]):
        sources[name] = (*sources.get(name, ()), source)
    return Simulation(
        installed=tuple(
            _parse_installed(match, sources) for line in lines_by_kind["Inst"] if (match := _INST.match(line))
        ),
        removed=tuple(match[1] for line in lines_by_kind["Remv"] if (match := _REMV.match(line))),
        downgraded=tuple(line[5:] for line in lines_by_kind["Down"]),
        candidates=dict(line[5:].split(" ", 1) for line in lines_by_kind["Cand"]),
        held_back=tuple(line[5:] for line in lines_by_kind["Hold"]),
        sources=sources,
        error="\n".join(line[5:] for line in lines_by_kind["Said"]),
    )


def _parse_installed(match: re.Match[str], sources: dict[str, tuple[str, ...]]) -> Installed:
    name, installed_version, version, archives = (part or "" for part in match.groups())
    labels = {archive.partition(":")[0] for archive in archives.split(", ")}
    foreign_source = f"{sources.get(name, ('another source',))[0]} ({archives or 'no archive'})"
    return Installed(name, version, installed_version, "" if labels & DISTRIBUTION else foreign_source)


def install_conflicts(simulation: Simulation, names: Iterable[str]) -> Iterator[Foreign]:
    """Yield each change to the owner's packages that installing `names` would need."""
    reason = f"To install {', '.join(names)}, apt would have to"
    for name in simulation.removed:
        what, way_out = "It does not go together with what we need.", f"if nobody needs it: apt-get remove {name}"
        yield Foreign(f"package {name}", what, f"{reason} remove it.", way_out)
    for package in simulation.installed:
        if package.name in simulation.held_back:
            yield _hold_conflict(package.name, f"{reason} {'change' if package.old_version else 'install'} it.")
        elif package.old_version and (package.source or package.name in simulation.downgraded):
            what = f"{package.old_version} is installed, and {package.described} is what the host's sources prefer."
            way_out = f"if that is meant: apt-get install {package.name}"
            yield Foreign(f"package {package.name}", what, f"{reason} replace it.", way_out)
    for name in simulation.held_back:
        if re.search(rf"(?<![\w.+-]){re.escape(name)}(?![\w+-])", simulation.error):
            yield _hold_conflict(name, f"{reason} change it.")


def _hold_conflict(name: str, consequence: str) -> Foreign:
    return Foreign(f"package {name}", "Its owner holds it back.", consequence, f"let it go: apt-mark unhold {name}")


def half_installed_conflict(name: str, state: str) -> Foreign:
    what = f"It is {state}, and no source of the host has it: somebody installed it by hand."
    consequence = "Until it is whole, apt installs nothing, or would remove it."
    way_out = f"install what it needs, then: dpkg --configure {name}; or remove it: dpkg --remove {name}"
    return Foreign(f"package {name}", what, consequence, way_out)


def removal_conflict(name: str) -> Foreign:
    description = "An installation on the host was cut short, and it does not go together with what is there."
    consequence = "To finish it, apt would remove it."
    return Foreign(f"package {name}", description, consequence, f"install what it needs, or: apt-get remove {name}")
