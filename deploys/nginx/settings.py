"""How much a visitor may ask for, and how long it may take."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from deploys.bounds import Bounds
from deploys.component import Port, Settings, refuse_single_text

VERSIONS = {
    ("debian", "12"): (1, 22, 1),
    ("debian", "13"): (1, 26, 3),
    ("ubuntu", "22.04"): (1, 18, 0),
    ("ubuntu", "24.04"): (1, 24, 0),
}
"""What nginx is in each supported distribution: its directives differ, and are written before it is there."""

PACKAGES = ("nginx", "openssl", "curl", "logrotate")


def _is_network(text: str) -> str:
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError("give a network like 10.0.0.0/8 or fd00::/8") from None
    if network.prefixlen == 0:
        raise ValueError("that is everybody, and whoever comes from there evades the rate limits")
    return str(network)


Network = Annotated[str, AfterValidator(_is_network)]
Networks = Annotated[tuple[Network, ...], BeforeValidator(refuse_single_text)]
Positive = Annotated[int, Field(ge=1)]


class Nginx(Settings):
    rate_limits: bool = True
    """False lifts every limit per visitor, those of the firewall among them, for a benchmark."""
    ipv6_network: Literal[48, 64] = 64
    """A visitor is an IPv4 address, or an IPv6 network of so many bits: one person has 2^64 addresses at least."""
    api_rate: Positive = 10
    """Requests per second and visitor."""
    api_burst: Positive = 20
    """So many more at once; what exceeds them is answered 429."""
    auth_rate: Positive = 5
    """Requests per minute and visitor to /v1/auth/. A browser's preflight requests count by api_rate."""
    auth_burst: Positive = 10
    clinics: Networks = ()
    """Networks in which many people share few addresses."""
    clinic_factor: Annotated[int, Field(ge=1, le=1000)] = 20
    """So many times the limits of requests hold for a visitor from there."""
    requests_at_once: Positive = 40
    """Of one visitor: those that wait for the API or for their visitor."""
    bodies_at_once: Positive = 6
    """Of one visitor: those among them whose body is of 100 KB or more, and takes room in `body_memory`."""
    connections: Annotated[int, Field(ge=16, le=10000)] = 256
    """Of one visitor at once, to ports 80 and 443: the firewall refuses more."""
    connection_rate: Annotated[int, Field(ge=1, le=1000)] = 100
    """New connections per second and visitor."""
    connection_burst: Annotated[int, Field(ge=10, le=10000)] = 500
    """So many more at once."""
    limit_memory: Positive = 10
    """MB per limit; one MB holds about 8,000 visitors, and the oldest is forgotten first."""
    trusted_proxies: Networks = ()
    """Networks of proxies in front of this one, whose X-Forwarded-For tells the visitor's address."""
    maximum_body: Positive = 10
    """MB. A body of 100 KB or more has to state its length; to /v1/auth/ 16 KB are enough."""
    body_memory: Positive = 256
    """MB for all bodies that are on their way: they wait in memory that nginx alone can see, never on the disk."""
    connect_timeout: Positive = 2
    """Seconds. The guide's 60 would keep a visitor waiting for a host that is gone while another could answer."""
    timeout: Positive = 60
    """Seconds between two reads from, or writes to, the API."""
    worker_connections: Annotated[int, Field(ge=256)] = 4096
    """Of each worker; there is one per core."""
    hsts: Positive = 31536000
    """Seconds for which a browser comes by HTTPS alone."""
    hsts_subdomains: bool = False
    """Whether that holds for every name below the domain as well. True breaks those that are served without HTTPS."""
    ipv6: bool = True
    """False: not even where the kernel has it."""
    status_port: Port = 8008
    """On loopback: where nginx tells which configuration its workers run with."""

    @property
    def bounds(self) -> Bounds | None:
        """What the firewall lets one visitor have; None: all."""
        if not self.rate_limits:
            return None
        return Bounds(
            connections=self.connections,
            rate=self.connection_rate,
            burst=self.connection_burst,
            ipv6_network=self.ipv6_network,
            exempt=self.trusted_proxies,
        )
