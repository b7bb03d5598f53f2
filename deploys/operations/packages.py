"""Packages of the host's distribution. An installation that was cut short is mended before the next begins."""

from __future__ import annotations

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.facts.packages import InstalledPackages, InterruptedPackages
from deploys.operations.change import Change, Commands, announce

# Lists are refreshed only when something is to be installed: a converged host is never "changed" by their age.
# DPkg::Lock::Timeout covers the frontend lock alone, so a run that still holds the lists is waited for with flock.
_APT = """set -eu; export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
apt() { apt-get -qy -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
  -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold --no-install-recommends "$@"; }
wait_for() { flock -w 300 -F "$1" true || { echo "$1 is held by another process" >&2; exit 1; }; }
"""
_INSTALL = (
    _APT
    + """fresh() { find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -mmin -1440 2>/dev/null | grep -q .; }
fresh && apt install "$@" || { wait_for /var/lib/apt/lists/lock; apt update --error-on=any; apt install "$@"; }"""
)
# In this order, twice at most: configuring may need a package that was being unpacked, and the other way round.
_MEND = _APT + "dpkg --configure -a --force-confdef --force-confold || true; apt -f install; dpkg --configure -a"


@operation()
def packages(names: tuple[str, ...]) -> Commands:
    """Have each package installed, in whatever version the distribution has."""
    found = host.get_fact(InstalledPackages, packages=names)
    missing = [name for name in names if name not in found]
    if not missing:
        host.noop("all packages are installed")
        return
    for name in missing:
        announce(Change("package", name, "install"))
    yield StringCommand("sh", "-c", QuoteString(_INSTALL), "install", *(QuoteString(name) for name in missing))


@operation()
def mended() -> Commands:
    """Finish an installation that was cut short."""
    broken = host.get_fact(InterruptedPackages)
    if not broken:
        host.noop("no package is half-installed")
        return
    announce(Change("package", ", ".join(broken), "configure", "an earlier installation was cut short"))
    yield StringCommand("sh", "-c", QuoteString(_MEND), "mend")
