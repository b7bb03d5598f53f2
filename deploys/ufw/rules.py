"""Which ports each part needs open, and how ufw writes rules down."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from deploys.faults import Fault, Refused
from deploys.rulesets import Family
from deploys.stack import Stack, Topology
from deploys.ufw.settings import Allow

_ANYWHERE: dict[Family, str] = {4: "0.0.0.0/0", 6: "::/0"}


def rules(
    extra: Iterable[Allow],
    stack: Stack,
    topology: Topology,
    parts: Iterable[str],
    ssh: Iterable[int],
    vault: Iterable[str] = (),
) -> tuple[Allow, ...]:
    """Return all rules of a host that plays `parts`, the ports of SSH first. `vault` makes logins for the database."""
    parts = frozenset(parts)
    found = [Allow(port=port) for port in ssh]
    if "edge" in parts:
        found += [Allow(port=80), Allow(port=443)]
    if "database" in parts:
        ports = (stack.postgresql_port, stack.redis_port)
        found += [_from(address, port) for address in topology.remote(topology.api) for port in ports]
        found += [_from(address, stack.postgresql_port) for address in vault]
    if "api" in parts:
        found += [_from(address, port) for address in topology.remote(topology.edge) for port in stack.instances]
    return tuple(dict.fromkeys([*found, *extra]))


def _from(address: str, port: int) -> Allow:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        what = f"{address} is a name, and a firewall knows addresses alone."
        raise Refused(Fault("inventory", what, "give each host a private_address")) from None
    return Allow(port=port, source=address)


def matches(rule: Allow) -> str:
    """Return the rule in iptables' words."""
    source = f" -s {rule.source}" if rule.source else ""
    return f"-p {rule.protocol} --dport {rule.port}{source} -j ACCEPT"


def of_family(rules: Iterable[Allow], family: Family) -> list[Allow]:
    return [rule for rule in rules if not rule.source or ipaddress.ip_network(rule.source).version == family]


def tuples(rules: Iterable[Allow], family: Family) -> list[tuple[str, str]]:
    """Return, per rule, the comment that `ufw status` reads and the rule that the kernel is given."""
    return [
        (
            f"allow {rule.protocol} {rule.port} {_ANYWHERE[family]} any {rule.source or _ANYWHERE[family]} in",
            matches(rule),
        )
        for rule in of_family(rules, family)
    ]
