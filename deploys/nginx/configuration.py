"""The text of nginx's files, and the mark by which a running worker shows that it was started with them."""

from __future__ import annotations

import hashlib
import re

from deploys.component import Text, template
from deploys.nginx.limits import limits
from deploys.nginx.places import SitePlace
from deploys.nginx.settings import Nginx
from deploys.nginx.visitors import network_patterns
from deploys.paths import CLOSED
from deploys.sites import DEFAULT_NAME_BUCKET, name_bucket
from deploys.stack import Stack, Topology

Version = tuple[int, ...]
Origins = tuple[str, ...]
"""Of pages that may read answers: the API's own, and nginx's."""
LOGS = "/var/log/nginx/health-v1"
"""What the names of both log files begin with."""
UNKNOWN_NAME_CERTIFICATE = "/etc/nginx/tls/nobody.pem"
"""Shown to those who ask for an unknown name, where nginx cannot refuse them the handshake."""


BODIES = "/run/healthv1_body"
"""Where bodies wait beside an owner's sites: memory of a bounded size, mounted by a unit of ours.

Directly below /run: an Nginx that starts without the mount makes the place itself.
"""


def main_file(settings: Nginx, stack: Stack, place: SitePlace) -> Text:
    """Return nginx.conf."""
    bucket = DEFAULT_NAME_BUCKET if place.has_bucket_size else name_bucket(stack.names)
    return template("nginx/nginx.conf", settings=settings, logs=LOGS, room=bucket, usual=DEFAULT_NAME_BUCKET)


def site(
    settings: Nginx, stack: Stack, topology: Topology, version: Version, place: SitePlace, origins: Origins = ()
) -> Text:
    """Return sites-available/health-v1."""
    digest = configuration_digest(settings, stack, topology, version, place, origins)
    return _site(settings, stack, topology, version, place, origins, digest)


def configuration_digest(
    settings: Nginx, stack: Stack, topology: Topology, version: Version, place: SitePlace, origins: Origins = ()
) -> str:
    """Return a digest of our files. `nginx -s reload` ends with 0 also when the new files are not taken up."""
    text = "" if place.beside else main_file(settings, stack, place)()
    text += _site(settings, stack, topology, version, place, origins, digest="")()
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _site(
    settings: Nginx,
    stack: Stack,
    topology: Topology,
    version: Version,
    place: SitePlace,
    origins: Origins,
    digest: str,
) -> Text:
    return template(
        "nginx/health-v1",
        settings=settings,
        stack=stack,
        place=place,
        names=" ".join(name for name in stack.names if name not in place.names_elsewhere),
        upstream=upstream(stack, topology),
        http2_directive=version >= (1, 25, 1),
        refuses=can_reject_handshake(version),
        nobody=UNKNOWN_NAME_CERTIFICATE,
        bodies=BODIES,
        closed=CLOSED,
        logs=LOGS,
        generation=digest,
        origins=tuple(map(re.escape, origins)),
        by=f"by_{settings.ipv6_network}",
        visitors=tuple(network_patterns(settings.ipv6_network)),
        limits=tuple(limits(settings)),
    )


def can_reject_handshake(version: Version) -> bool:
    """Whether this nginx can refuse a TLS handshake for a name that it does not know."""
    return version >= (1, 19, 4)


def upstream(stack: Stack, topology: Topology) -> list[str]:
    """Return every instance of every host that runs the API."""
    hosts = [f"[{address}]" if ":" in address else address for address in topology.api]
    return [f"{address}:{port}" for address in hosts for port in stack.instances]
