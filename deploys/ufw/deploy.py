"""What comes in unasked is dropped, but for the rules below; SSH's are there before anything is dropped."""

from __future__ import annotations

from collections.abc import Iterable

from pyinfra.api.deploy import deploy

from deploys.component import template
from deploys.facts.ssh import ssh_ports
from deploys.operations.claims import claim
from deploys.operations.files import file
from deploys.operations.firewall import enforced, ruled
from deploys.operations.packages import packages
from deploys.operations.units import unit
from deploys.stack import Stack, Topology
from deploys.ufw.checks import checks, lets_in
from deploys.ufw.rules import Family, rules, tuples
from deploys.ufw.settings import Allow, Ufw

UFW: dict[Family, str] = {4: "ufw", 6: "ufw6"}


@deploy("Firewall")
def deploy_ufw(
    settings: Ufw, stack: Stack, topology: Topology, parts: Iterable[str], vault: Iterable[str] = ()
) -> None:
    ssh = ssh_ports()
    wanted = rules(settings.extra, stack, topology, parts, ssh, vault)
    packages(name="Install ufw", names=("ufw",))
    # In this order a host that loses its power in between lets SSH in when it boots.
    ruled(
        name="Write the rules",
        texts={
            family: template("ufw/user.rules", ufw=ufw, tuples=tuples(wanted, family), logging=settings.logging)()
            for family, ufw in UFW.items()
        },
    )
    file(name="Drop by default", path="/etc/default/ufw", content=template("ufw/ufw"))
    file(
        name="Have the firewall start with the host",
        path="/etc/ufw/ufw.conf",
        content=template("ufw/ufw.conf", logging=settings.logging),
    )
    enforced(name="Enforce the rules", ssh=lets_in(Allow(port=port) for port in ssh))
    unit(
        name="Enable the firewall",
        unit="ufw.service",
        effect="nothing is filtered for a moment; connections stay",
        probe=lets_in(Allow(port=port) for port in ssh),
    )
    claim("ufw", checks(wanted))
