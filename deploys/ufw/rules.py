"""Which ports each part needs open, and how ufw writes rules down."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from deploys.bounds import Bounds
from deploys.faults import Fault, Refused
from deploys.rulesets import Family
from deploys.stack import Stack, Topology
from deploys.ufw.settings import Allow

_ANYWHERE: dict[Family, str] = {4: "0.0.0.0/0", 6: "::/0"}
_WEB = (80, 443)
_WEB_PORTS = ",".join(map(str, _WEB))
_IPV4 = 32  # bits


@dataclass(frozen=True)
class VisitorLimit:
    """What one visitor of the website may not exceed. It stands before the rules that let visitors in."""

    match: str
    """iptables' match of what exceeds it, with {bits} for how many of an address count."""
    ipv6_network: int
    amount: str

    def __str__(self) -> str:
        return f"{_WEB_PORTS}/tcp beyond {self.amount} of an address, or of a /{self.ipv6_network}"


Rule = Allow | VisitorLimit


def rules(
    extra: Iterable[Allow],
    stack: Stack,
    topology: Topology,
    parts: Iterable[str],
    ssh: Iterable[int],
    vault: Iterable[str] = (),
    bounds: Bounds | None = None,
    clients: Iterable[tuple[str, int]] = (),
) -> tuple[Rule, ...]:
    """Return all rules of a host that plays `parts`, the ports of SSH first.

    + vault: makes logins for the database.
    + clients: addresses of other hosts, and the port that each of them is let in at.
    """
    parts = frozenset(parts)
    all_rules: list[Rule] = [Allow(port=port) for port in ssh]
    if "edge" in parts:
        all_rules += _visitor_limits(bounds) if bounds else []
        all_rules += [Allow(port=port) for port in _WEB]
    if "database" in parts:
        ports = (stack.postgresql_port, stack.redis_port)
        all_rules += [_allow_from(address, port) for address in topology.remote(topology.api) for port in ports]
        all_rules += [_allow_from(address, stack.postgresql_port) for address in vault]
    if "api" in parts:
        all_rules += [
            _allow_from(address, port) for address in topology.remote(topology.edge) for port in stack.instances
        ]
    all_rules += [_allow_from(address, port) for address, port in clients]
    return tuple(dict.fromkeys([*all_rules, *extra]))


def _allow_from(address: str, port: int) -> Allow:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        what = f"{address} is a name, and a firewall knows addresses alone."
        raise Refused(Fault("inventory", what, "give each host a private_address")) from None
    return Allow(port=port, source=address)


def _visitor_limits(bounds: Bounds) -> list[Rule]:
    connections, rate, burst = bounds.connections, bounds.rate, bounds.burst
    # The kernel keeps a table of hashlimit's by its name, with the figures that it was made with.
    return [
        *(Allow(port=port, source=source) for source in bounds.exempt for port in _WEB),
        VisitorLimit(
            f"-m connlimit --connlimit-above {connections} --connlimit-mask {{bits}} --connlimit-saddr",
            bounds.ipv6_network,
            f"{connections} connections",
        ),
        VisitorLimit(
            f"-m hashlimit --hashlimit-above {rate}/sec --hashlimit-burst {burst} --hashlimit-mode srcip"
            f" --hashlimit-name web{rate}-{burst}-{{bits}} --hashlimit-srcmask {{bits}}",
            bounds.ipv6_network,
            f"{burst} new connections at once, {rate} a second,",
        ),
    ]


def iptables_rule(rule: Rule, family: Family) -> str:
    """Return the rule in iptables' words."""
    if isinstance(rule, VisitorLimit):
        match = rule.match.format(bits=rule.ipv6_network if family == 6 else _IPV4)
        return f"-p tcp -m multiport --dports {_WEB_PORTS} --syn {match} -j REJECT --reject-with tcp-reset"
    source = f" -s {rule.source}" if rule.source else ""
    return f"-p {rule.protocol} --dport {rule.port}{source} -j ACCEPT"


def rules_of_family(rules: Iterable[Rule], family: Family) -> list[Rule]:
    return [rule for rule in rules if isinstance(rule, VisitorLimit) or _belongs_to(rule, family)]


def _belongs_to(rule: Allow, family: Family) -> bool:
    return not rule.source or ipaddress.ip_network(rule.source).version == family


def tuples(rules: Iterable[Rule], family: Family) -> list[tuple[str, str]]:
    """Return, per rule, the comment that `ufw status` reads and the rule that the kernel is given.

    ufw's own words have none for a bound: it leaves that out of its list, and of its file when it writes that anew.
    """
    return [(_comment(rule, family), iptables_rule(rule, family)) for rule in rules_of_family(rules, family)]


def _comment(rule: Rule, family: Family) -> str:
    if isinstance(rule, VisitorLimit):
        return ""
    return f"allow {rule.protocol} {rule.port} {_ANYWHERE[family]} any {rule.source or _ANYWHERE[family]} in"
