"""What the owner of a host filters with: named, refused unless adopted, and then no longer loaded at boot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.before import keep_aside
from deploys.facts.firewall import FirewallState
from deploys.facts.packages import InstalledPackages
from deploys.foreign import Foreign
from deploys.operations.change import Change, Commands
from deploys.operations.forecast import forecast
from deploys.operations.foreign import adopted
from deploys.rulesets import PROGRAMS, Family, Firewall, named, refusing

RULES = "firewall rules"
"""How `stack.adopt` names it."""
BROKEN = ("iptables-persistent", "netfilter-persistent")
"""Packages that ufw's says it breaks."""
_WAY_OUT = "take them away, and list in ufw.extra what has to stay open"


def foreign(found: Firewall, texts: Mapping[Family, str]) -> Iterator[Foreign]:
    """Yield what the owner of a host filters with, where the firewall is not ours."""
    if "firewalld.service" in found.rivals:
        what, follows = "firewalld rules this host.", "It would rewrite the firewall whenever it reloads."
        way_out = "list what it lets in in ufw.extra, then: systemctl disable --now firewalld"
        yield Foreign("firewalld.service", what, follows, way_out)
    parts = _owners(found, texts)
    if parts:
        some = "; ".join(parts[:6]) + (f"; and {len(parts) - 6} more" if len(parts) > 6 else "")
        follows = "An apply would put ufw's rules in their place: nobody else is let in or refused any more."
        yield Foreign(RULES, f"The owner's own rules are there: {some}.", follows, _WAY_OUT, adoptable=True)


def _owners(found: Firewall, texts: Mapping[Family, str]) -> list[str]:
    parts = []
    for family, rules in found.families.items():
        parts += [f"{PROGRAMS[family]} {line}" for line in refusing(rules.kernel)]
        theirs = named([*rules.kernel, *rules.text.splitlines()]) - named(texts[family].splitlines())
        parts += [f"ufw's {rule}" for rule in sorted(theirs)]
    parts += [f"nftables table {table}" for table in found.shutting_out]
    parts += [f"{unit}, which loads rules at boot" for unit in found.rivals if unit != "firewalld.service"]
    return list(dict.fromkeys(parts))


@operation()
def remove_rival_packages() -> Commands:
    """Remove, where the owner's rules were adopted, the package that ufw's cannot stand beside."""
    there = host.get_fact(InstalledPackages, packages=BROKEN) if RULES in adopted() else {}
    if not there:
        host.noop("nothing is in ufw's way")
        return
    for name, version in there.items():
        why, effect = "ufw's package breaks it", "its files stay, and are kept aside"
        forecast().announce(Change("package", name, "remove", why, was=version, effect=effect))
    # A package that is removed leaves its unit enabled.
    removed = f"""set -eu; {keep_aside(RULES, ["/etc/iptables"])}
systemctl disable netfilter-persistent.service >&2 || true
DEBIAN_FRONTEND=noninteractive apt-get -qqy -o DPkg::Lock::Timeout=300 remove {" ".join(there)} >&2"""
    yield StringCommand("sh", "-c", QuoteString(removed))


@operation()
def disable_rival_units() -> Commands:
    """Disable, where the owner's rules were adopted, what loads them when the host boots."""
    rivals = [unit for unit in _adopted_rivals() if unit != "netfilter-persistent.service"]
    if not rivals:
        host.noop("nothing else that was adopted loads rules")
        return
    for unit in rivals:
        why = "it would rewrite the firewall at boot"
        forecast().announce(Change("unit", unit, "disable", why, was="enabled", becomes="disabled"))
    yield StringCommand("systemctl", "disable", *rivals)


def _adopted_rivals() -> tuple[str, ...]:
    return host.get_fact(FirewallState).rivals if RULES in adopted() else ()
