"""Installed packages, the simulation of an installation, and packages left half-installed."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase

from deploys.apt import LIST_INTERRUPTED, LIST_UNREAD, SIMULATE
from deploys.apt_simulation import Simulation, read_simulation
from deploys.repositories import Repositories, parse_repositories

# Each package's candidate version, and the repositories that have it: "Cand nginx 1.26.3",
# "From nginx http://… stable/main".
_POLICY = """policy() { [ $# = 0 ] || LC_ALL=C apt-cache policy -- "$@" 2>/dev/null | awk '
/^[^ ]/ { name = $1; sub(/:$/, "", name) }
$1 == "Candidate:" { version = $2; if (version != "(none)") print "Cand", name, version }
$1 ~ /^-?[0-9]+$/ && $2 ~ "/" { if (at == version && $2 != "/var/lib/dpkg/status") print "From", name, $2, $3; next }
/^ (\\*\\*\\*|   ) / { at = $1 == "***" ? $2 : $1 }'; }"""


class InstalledPackages(FactBase[dict[str, str]]):
    """Name to version of the completely installed packages."""

    default = dict

    def command(self, packages: tuple[str, ...]) -> StringCommand:
        form = "${db:Status-Abbrev}|${Package}|${Version}\\n"
        quoted = (QuoteString(package) for package in packages)
        # 1: some of them are unknown. dpkg-query(1), "Exit status"
        return StringCommand("dpkg-query", "-W", "-f", QuoteString(form), *quoted, "2>/dev/null", "||", "[ $? -eq 1 ]")

    def process(self, output: list[str]) -> dict[str, str]:
        rows = (line.split("|") for line in output)
        return {package: version for status, package, version in rows if status.strip() == "ii"}


class InstallSimulation(FactBase[Simulation]):
    """apt's simulation of installing these packages, with the host's current lists."""

    default = Simulation

    def command(self, packages: tuple[str, ...]) -> StringCommand:
        script = f"""{SIMULATE}\n{_POLICY}
if simulate install "$@"; then printf '%s\\n' "$said" | grep -E '^(Inst|Remv) '
  printf '%s\\n' "$said" | awk '/ be DOWNGRADED:/ {{ low = 1; next }} !/^ / {{ low = 0 }} low {{
    for (i = 1; i <= NF; i++) print "Down", $i }}'
  policy $(printf '%s\\n' "$said" | sed -nE 's/^Inst ([^ ]+) .*/\\1/p')
else policy "$@"; printf '%s\\n' "$said" | sed 's/^/Said /'; fi
apt-mark showhold | sed 's/^/Hold /'; true"""
        return StringCommand("sh", "-c", QuoteString(script), "installation", *(QuoteString(name) for name in packages))

    def process(self, output: list[str]) -> Simulation:
        return read_simulation(output)


class RepositoryStates(FactBase[Repositories]):
    """The repositories that apt cannot read. It connects to each, and takes up to a minute."""

    default = Repositories

    def command(self) -> str:
        return f"sh -c {shlex.quote(LIST_UNREAD)} || true"

    def process(self, output: list[str]) -> Repositories:
        return parse_repositories(output)


class PackagesToRemove(FactBase[tuple[str, ...]]):
    """The packages that `apt-get -f install` would remove."""

    default = tuple

    def command(self) -> str:
        script = f"{SIMULATE}\nsimulate -f install; printf '%s\\n' \"$said\" | grep '^Remv '; true"
        return f"sh -c {shlex.quote(script)}"

    def process(self, output: list[str]) -> tuple[str, ...]:
        return read_simulation(output).removed


@dataclass(frozen=True)
class InterruptedPackage:
    name: str
    state: str
    """dpkg's status: unpacked, half-configured, half-installed …"""
    is_available: bool
    """A repository has it."""


class InterruptedPackages(FactBase[tuple[InterruptedPackage, ...]]):
    """Half-installed packages, and dpkg's unfinished journal."""

    default = tuple

    def command(self) -> str:
        return LIST_INTERRUPTED

    def process(self, output: list[str]) -> tuple[InterruptedPackage, ...]:
        rows = (line.split("|") for line in output)
        return tuple(InterruptedPackage(name, state, is_available == "yes") for name, state, is_available in rows)
