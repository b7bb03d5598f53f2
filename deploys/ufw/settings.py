"""What a team opens besides what the stack needs, and how much of what is refused is logged."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator

from deploys.component import Port, Settings


def _is_network(text: str) -> str:
    if not text:
        return text
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise ValueError("give an address or a network like 10.20.0.0/24, without host bits") from None
    if network.prefixlen == 0:
        raise ValueError("leave it out to mean everybody")
    return str(network.network_address) if network.num_addresses == 1 else str(network)


Source = Annotated[str, AfterValidator(_is_network)]


class Allow(Settings):
    """One port that is let in."""

    port: Port
    protocol: Literal["tcp", "udp"] = "tcp"
    source: Source = ""
    """An address or a network; empty: everybody."""

    def __str__(self) -> str:
        return f"{self.port}/{self.protocol} from {self.source or 'anywhere'}"


class Ufw(Settings):
    extra: tuple[Allow, ...] = ()
    """What the team's own programs need. A rule that stands neither here nor among the stack's is removed."""
    logging: Literal["off", "low"] = "low"
    """low: what is refused goes to the kernel's log, three packets a minute."""
