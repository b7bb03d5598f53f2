"""How many connections to the website one visitor may have. The firewall enforces it.

Nginx counts a connection only after a complete request: a visitor who never completes one would not be counted.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    connections: int
    """Concurrent connections of one IPv4 address or one IPv6 network."""
    rate: int
    """New connections per second."""
    burst: int
    """Additional new connections at once."""
    ipv6_network: int
    """Prefix length in bits."""
    exempt: tuple[str, ...] = ()
    """Networks of proxies: each proxy connects for many visitors."""
