"""How much a visitor may ask for, and how long it may take."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, Field

from deploys.component import Port, Settings

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
        raise ValueError("that is everybody: whoever may name his own address evades the rate limits")
    return str(network)


Network = Annotated[str, AfterValidator(_is_network)]
Positive = Annotated[int, Field(ge=1)]


class Nginx(Settings):
    rate_limits: bool = True
    """False lifts them all, for a benchmark."""
    api_rate: Positive = 10
    """Requests per second and address."""
    api_burst: Positive = 20
    """So many more at once; what exceeds them is answered 429."""
    auth_rate: Positive = 5
    """Requests per minute and address to /v1/auth/."""
    auth_burst: Positive = 10
    limit_memory: Positive = 10
    """MB per limit; one MB holds about 8,000 addresses, and the oldest is forgotten first."""
    trusted_proxies: tuple[Network, ...] = ()
    """Networks of proxies in front of this one, whose X-Forwarded-For tells the visitor's address."""
    maximum_body: Positive = 10
    """MB."""
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
    ipv6: bool = True
    """False: not even where the kernel has it."""
    status_port: Port = 8008
    """On loopback: where nginx tells which configuration its workers run with."""
