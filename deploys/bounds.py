"""How many connections to the website one visitor may have: what the edge is told, and the firewall enforces.

Nginx counts connections only once it has read a request. Whoever never sends one whole would not be counted.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    connections: int
    """At once, of one IPv4 address or one IPv6 network."""
    rate: int
    """New ones per second."""
    burst: int
    """So many more at once."""
    ipv6_network: int
    """Bits."""
    exempt: tuple[str, ...] = ()
    """Networks of proxies, each of which comes for many visitors."""
