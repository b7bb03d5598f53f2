"""Which packages are installed, and whether an earlier installation was cut short."""

from __future__ import annotations

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase

# While somebody renews the lists, apt fails halfway through them ("Cache is out of sync"): that is no answer.
_POLICY = """for i in 1 2 3 4; do
  said=$(LC_ALL=C apt-cache policy -- "$@" 2>/dev/null) && printf '%s\\n' "$said" && exit; sleep 0.5
done"""


class InstalledPackages(FactBase[dict[str, str]]):
    """Package name to version, of those that are wholly installed."""

    default = dict

    def command(self, packages: tuple[str, ...]) -> StringCommand:
        form = "${db:Status-Abbrev}|${Package}|${Version}\\n"
        quoted = (QuoteString(package) for package in packages)
        # 1: some of them are unknown. dpkg-query(1), "Exit status"
        return StringCommand("dpkg-query", "-W", "-f", QuoteString(form), *quoted, "2>/dev/null", "||", "[ $? -eq 1 ]")

    def process(self, output: list[str]) -> dict[str, str]:
        rows = (line.split("|") for line in output)
        return {package: version for status, package, version in rows if status.strip() == "ii"}


class CandidateVersions(FactBase[dict[str, str]]):
    """Package name to the version that apt would install by the lists that the host has now, of those it knows."""

    default = dict

    def command(self, packages: tuple[str, ...]) -> StringCommand:
        quoted = (QuoteString(package) for package in packages)
        return StringCommand("sh", "-c", QuoteString(_POLICY), "policy", *quoted)

    def process(self, output: list[str]) -> dict[str, str]:
        found, package = {}, ""
        for line in output:
            key, _, value = line.strip().partition(":")
            if not line.startswith(" "):
                package = key
            elif key == "Candidate" and value.strip() != "(none)":
                found[package] = value.strip()
        return found


class InterruptedPackages(FactBase[list[str]]):
    """What dpkg finds half-installed, half-configured or still in its journal; empty when all is well."""

    default = list

    def command(self) -> str:
        return (
            "{ dpkg-query -W -f '${db:Status-Abbrev}|${Package}\\n' | grep -v '^[ihrup][inc] ' | cut -d'|' -f2;"
            " ls /var/lib/dpkg/updates; } 2>/dev/null || true"
        )

    def process(self, output: list[str]) -> list[str]:
        return output
