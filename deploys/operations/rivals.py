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
from deploys.operations.foreign import adopted_things
from deploys.rulesets import PROGRAMS, Family, Firewall, restricting_rules, rule_names

RULES_SUBJECT = "firewall rules"
"""How `stack.adopt` names it."""
BROKEN_PACKAGES = ("iptables-persistent", "netfilter-persistent")
"""Packages that ufw's says it breaks."""
_WAY_OUT = "take them away, and list in ufw.extra what has to stay open"


def firewall_conflicts(firewall: Firewall, texts: Mapping[Family, str]) -> Iterator[Foreign]:
    """Yield what the owner of a host filters with, where the firewall is not ours."""
    if "firewalld.service" in firewall.rivals:
        what, consequence = "firewalld rules this host.", "It would rewrite the firewall whenever it reloads."
        way_out = "list what it lets in in ufw.extra, then: systemctl disable --now firewalld"
        yield Foreign("firewalld.service", what, consequence, way_out)
    rules = _owner_rules(firewall, texts)
    if rules:
        listed_rules = "; ".join(rules[:6]) + (f"; and {len(rules) - 6} more" if len(rules) > 6 else "")
        consequence = "An apply would put ufw's rules in their place: nobody else is let in or refused any more."
        yield Foreign(
            RULES_SUBJECT, f"The owner's own rules are there: {listed_rules}.", consequence, _WAY_OUT, adoptable=True
        )


def _owner_rules(firewall: Firewall, texts: Mapping[Family, str]) -> list[str]:
    descriptions = []
    for family, rules in firewall.families.items():
        descriptions += [f"{PROGRAMS[family]} {line}" for line in restricting_rules(rules.kernel)]
        owner_rules = rule_names([*rules.kernel, *rules.user_rules.splitlines()]) - rule_names(
            texts[family].splitlines()
        )
        descriptions += [f"ufw's {rule}" for rule in sorted(owner_rules)]
    descriptions += [f"nftables table {table}" for table in firewall.blocking_tables]
    descriptions += [f"{unit}, which loads rules at boot" for unit in firewall.rivals if unit != "firewalld.service"]
    return list(dict.fromkeys(descriptions))


@operation()
def remove_rival_packages() -> Commands:
    """Remove, where the owner's rules were adopted, the package that ufw's cannot stand beside."""
    installed = host.get_fact(InstalledPackages, packages=BROKEN_PACKAGES) if RULES_SUBJECT in adopted_things() else {}
    if not installed:
        host.noop("nothing is in ufw's way")
        return
    for name, version in installed.items():
        why, effect = "ufw's package breaks it", "its files stay, and are kept aside"
        forecast().announce(Change("package", name, "remove", why, was=version, effect=effect))
    # A package that is removed leaves its unit enabled.
    script = f"""set -eu; {keep_aside(RULES_SUBJECT, ["/etc/iptables"])}
systemctl disable netfilter-persistent.service >&2 || true
DEBIAN_FRONTEND=noninteractive apt-get -qqy -o DPkg::Lock::Timeout=300 remove {" ".join(installed)} >&2"""
    yield StringCommand("sh", "-c", QuoteString(script))


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
    return host.get_fact(FirewallState).rivals if RULES_SUBJECT in adopted_things() else ()
