"""Packages of the host's distribution. An installation that was cut short is mended before the next begins."""

from __future__ import annotations

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.facts.packages import CandidateVersions, InstalledPackages, InterruptedPackages
from deploys.operations.change import Change, Commands, announce, as_planned, falls_to

# Lists are refreshed only when something is to be installed: a converged host is never "changed" by their age.
# HEALTHV1_INSTALLING keeps services from being started before they are configured (templates/preflight/policy-rc.d).
# DPkg::Lock::Timeout covers the frontend lock alone: whoever still holds the lists is waited for here.
_APT = """set -eu; export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HEALTHV1_INSTALLING=yes
apt() { apt-get -qy -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
  -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold --no-install-recommends "$@"; }
update() { i=0; until said=$(apt update --error-on=any 2>&1); do i=$((i+1))
  case $said in *"Could not get lock"*) [ $i -lt 100 ] && sleep 3 && continue; esac
  printf '%s\\n' "$said" >&2; exit 1; done; }
"""
_INSTALL = (
    _APT
    + """fresh() { find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -mmin -1440 2>/dev/null | grep -q .; }
fresh && apt install "$@" || { update; apt install "$@"; } || {
  # A disk that was full can leave lists and caches that contradict each other.
  rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin; update; apt install "$@"; }"""
)
# In this order, twice at most: configuring may need a package that was being unpacked, and the other way round.
_MEND = _APT + "dpkg --configure -a --force-confdef --force-confold || true; apt -f install; dpkg --configure -a"


@operation()
def packages(names: tuple[str, ...]) -> Commands:
    """Have each package installed, in whatever version the distribution has."""
    found = host.get_fact(InstalledPackages, packages=names)
    # Another component may bring it, or the end of an installation that was cut short.
    missing = [name for name in names if name not in found and falls_to(" ".join(names), f"package {name}")]
    if not missing:
        host.noop("all packages are installed")
        return
    candidates = host.get_fact(CandidateVersions, packages=tuple(missing))
    for name in missing:
        announce(Change("package", name, "install", becomes=as_planned(f"package {name}", candidates.get(name, ""))))
    yield StringCommand("sh", "-c", QuoteString(_INSTALL), "install", *(QuoteString(name) for name in missing))


@operation()
def mended() -> Commands:
    """Finish an installation that was cut short."""
    broken = host.get_fact(InterruptedPackages)
    if not broken:
        host.noop("no package is half-installed")
        return
    why = "an earlier installation was cut short"
    for name in broken:
        falls_to("mended", f"package {name}")
        announce(Change("package", name, "configure", why, was="half-installed", becomes="installed"))
    yield StringCommand("sh", "-c", QuoteString(_MEND), "mend")
