"""What comes in unasked is dropped, but for the rules below; SSH's are there before anything is dropped."""

from __future__ import annotations

from collections.abc import Iterable

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from deploys.bounds import Bounds
from deploys.component import template
from deploys.facts.marks import Marks
from deploys.facts.nginx import NginxState
from deploys.facts.ssh import ssh_ports
from deploys.operations.claims import claim
from deploys.operations.files import file
from deploys.operations.firewall import enforce_rules
from deploys.operations.packages import packages
from deploys.operations.rivals import disable_rival_units, remove_rival_packages
from deploys.operations.units import unit
from deploys.rulesets import UFW
from deploys.sites import OUR_MARK
from deploys.stack import Stack, Topology
from deploys.ufw.checks import checks, lets_in
from deploys.ufw.rules import rules, tuples
from deploys.ufw.settings import Allow, Ufw

USER_RULES = {4: "/etc/ufw/user.rules", 6: "/etc/ufw/user6.rules"}
_RESTORABLE = {
    4: 'PATH=$PATH:/usr/sbin:/sbin; iptables-restore --test -n < "$1"',
    6: 'PATH=$PATH:/usr/sbin:/sbin; ! ip6tables -S INPUT >/dev/null 2>&1 || ip6tables-restore --test -n < "$1"',
}


@deploy("Firewall")
def deploy_ufw(
    settings: Ufw,
    stack: Stack,
    topology: Topology,
    parts: Iterable[str],
    vault: Iterable[str] = (),
    bounds: Bounds | None = None,
    clients: Iterable[tuple[str, int]] = (),
) -> None:
    """Enforce the rules.

    + bounds: what one visitor of the website may have; None: all.
    + clients: addresses of other hosts, and the port that each of them is let in at.
    """
    ssh, parts = ssh_ports(), frozenset(parts)
    bounds = None if "edge" in parts and _owner_has_sites() else bounds
    all_rules = rules(settings.extra, stack, topology, parts, ssh, vault, bounds, clients)
    texts = {
        family: template("ufw/user.rules", ufw=ufw, tuples=tuples(all_rules, family), logging=settings.logging)
        for family, ufw in UFW.items()
    }
    remove_rival_packages(name="Make room for ufw")
    packages(name="Install ufw", names=("ufw",))
    enforce_rules(name="Enforce the rules", texts=texts, ssh=lets_in(Allow(port=port) for port in ssh))
    # What is proven is written down, in this order: a host that loses its power in between lets SSH in when it boots.
    for family in host.loop((4, 6)):
        file(
            name=f"Write the rules for IPv{family}",
            path=USER_RULES[family],
            content=texts[family],
            mode="0640",
            test=_RESTORABLE[family],
            ours=True,
        )
    file(
        name="Drop by default",
        path="/etc/default/ufw",
        content=template("ufw/ufw"),
        ours="firewall" in host.get_fact(Marks),
    )
    file(
        name="Have the firewall start with the host",
        path="/etc/ufw/ufw.conf",
        content=template("ufw/ufw.conf", logging=settings.logging),
        ours=True,  # an owner's firewall was adopted by now
    )
    disable_rival_units(name="Let nothing else load rules")
    unit(
        name="Enable the firewall",
        unit="ufw.service",
        effect="nothing is filtered for a moment; connections stay",
        probe=lets_in(Allow(port=port) for port in ssh),
    )
    claim("ufw", checks(all_rules))


def _owner_has_sites() -> bool:
    """Whether others than us serve visitors at the same ports: they are not ours to count."""
    return host.get_fact(Marks).get("nginx") != OUR_MARK and bool(host.get_fact(NginxState).owner_files)
