"""Whether the rate limits bite: tried on the host, from an address of its loopback, so that nobody's own is used up.

Nginx counts by address. Each try draws one of 127.0.0.0/8, which nobody has who comes over a network: what is tried are
every visitor's limits, at the places where they stand, and no visitor is counted.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace

from deploys.component import Check
from deploys.nginx.places import SitePlace
from deploys.nginx.settings import Nginx
from deploys.paths import CLOSED
from deploys.stack import LOOPBACK, Stack

MAX_REQUESTS = 400
"""Requests that are sent for one claim. Where they are not enough, the limit is looked for in the configuration."""
PARALLEL_REQUESTS = 50  # requests that are sent at the same time
SPARE_REQUESTS = 10  # requests beyond what is let through
LOCATION_LINES = 6  # of a location in the site, at most
TRY_SECONDS = 2  # seconds: what is let through meanwhile is sent besides

_RANDOM_SOURCE = """127.$(od -An -N3 -tu1 /dev/urandom | awk '{ print 64 + $1 % 64 "." $2 "." 1 + $3 % 254 }')"""
_TRY_LIMIT = """since=$(date +%s%3N)
refused=$(curl -ksZ --noproxy '*' --max-time 10 --parallel-max {streams} --interface "{source}" \\
  --connect-to '::{at}' -X POST -o /dev/null \\
  -w '%{{http_code}}\\n' 'https://{domain}{path}?n=[1-{requests}]' | grep -cx 429 || true)
took=$(($(date +%s%3N) - since)) passed=$(({requests} - refused))
echo "of {requests} requests within $took ms $passed were let through, and $refused were answered 429"
test $passed -ge {least} && test $passed -le $(({at_once} + 1 + took * {rate} / ({seconds} * 1000)))"""
# No more than is right were let through, but all of them: the host is too slow to tell.
_IF_TOO_SLOW = """if [ $refused -eq 0 ]; then
{configured}
fi"""


@dataclass(frozen=True)
class Limit:
    """One limit per visitor. Its zone is named after its key: with another one, nginx would not take up a zone."""

    name: str
    visitor: str
    """`by_64` of everybody but clinics, `of_clinics_by_64`."""
    counted_requests: str
    """Which requests count: a regular expression for "1 POST", which is what a clinic posts, and 0 for all others."""

    @property
    def zone(self) -> str:
        return f"health_{self.name}_{self.visitor}"

    @property
    def key(self) -> str:
        """Of a request that does not count it is empty."""
        return f"${self.zone}"


@dataclass(frozen=True)
class RateLimit(Limit):
    label: str
    path: str
    rate: int
    seconds: int
    """`rate` requests in so many, of each visitor."""
    burst: int

    @property
    def at_once(self) -> int:
        """What is let through at once: the burst, and one that is due."""
        return self.burst + 1

    @property
    def requests(self) -> int:
        return self.at_once + math.ceil(TRY_SECONDS * self.rate / self.seconds) + SPARE_REQUESTS

    def zone_line(self, memory: int) -> str:
        unit = {1: "s", 60: "m"}[self.seconds]
        return f"limit_req_zone {self.key} zone={self.zone}:{memory}m rate={self.rate}r/{unit};"

    @property
    def line(self) -> str:
        return f"limit_req zone={self.zone} burst={self.burst} nodelay;"


@dataclass(frozen=True)
class ConcurrencyLimit(Limit):
    number: int

    def zone_line(self, memory: int) -> str:
        return f"limit_conn_zone {self.key} zone={self.zone}:{memory}m;"

    @property
    def line(self) -> str:
        return f"limit_conn {self.zone} {self.number};"


def limits(settings: Nginx) -> Iterator[RateLimit | ConcurrencyLimit]:
    """Yield those that the settings have."""
    if not settings.rate_limits:
        return
    visitor = f"by_{settings.ipv6_network}"
    yield from _limits_of(settings, visitor, "0", 1)
    if settings.clinics:
        yield from _limits_of(settings, f"of_clinics_{visitor}", "1", settings.clinic_factor)
    yield ConcurrencyLimit("bodies", visitor, "", settings.bodies_at_once)


def _limits_of(settings: Nginx, visitor: str, clinic: str, factor: int) -> Iterator[RateLimit | ConcurrencyLimit]:
    counted = f"^{clinic} "
    api_limit = RateLimit(
        "api", visitor, counted, "API", "/v1/", settings.api_rate * factor, 1, settings.api_burst * factor
    )
    rate, burst = settings.auth_rate * factor, settings.auth_burst * factor
    yield api_limit
    yield RateLimit("auth", visitor, f"{counted}(?!OPTIONS$)", "login", "/v1/auth/", rate, 60, burst)
    yield replace(
        api_limit, name="preflight", counted_requests=f"{counted}OPTIONS$", label="preflight", path="/v1/auth/"
    )
    yield ConcurrencyLimit("requests", visitor, counted, settings.requests_at_once * factor)


def tried_limits(settings: Nginx) -> tuple[RateLimit, ...]:
    """Return those that are tried from the host, which is no clinic."""
    return tuple(
        limit
        for limit in limits(settings)
        if isinstance(limit, RateLimit) and limit.name in {"api", "auth"} and limit.counted_requests.startswith("^0 ")
    )


def checks(settings: Nginx, stack: Stack, place: SitePlace) -> Iterator[Check]:
    """Yield what holds of each limit. Where there is none, nothing is claimed of it."""
    for limit in tried_limits(settings):
        amount = f"{limit.at_once} requests at once and {limit.rate} {'a second' if limit.seconds == 1 else 'a minute'}"
        if limit.requests > MAX_REQUESTS:
            claim = f"The {limit.label}'s rate limit of {amount} is configured: too many to be tried"
            yield Check(claim, _is_configured(limit, settings.limit_memory), "run: healthv1 apply ENV")
        else:
            claim = f"The {limit.label}'s rate limit bites beyond {amount}"
            yield Check(claim, _try_limit(limit, settings, stack, place), "run: healthv1 apply ENV")


def _try_limit(limit: RateLimit, settings: Nginx, stack: Stack, place: SitePlace) -> str:
    """Return a test that asks more often than is allowed, all at once: so many pass, and no more."""
    address = local_address(place)
    is_random = not address.startswith("[")  # IPv6 has one loopback address, whose last try may count still
    script = _TRY_LIMIT.format(
        source=_RANDOM_SOURCE if is_random else "::1",
        at=address,
        domain=stack.domain,
        path=limit.path,
        requests=limit.requests,
        least=limit.at_once if is_random else 0,
        at_once=limit.at_once,
        rate=limit.rate,
        seconds=limit.seconds,
        streams=min(PARALLEL_REQUESTS, settings.requests_at_once),
    )
    configured = _is_configured(limit, settings.limit_memory)
    # During a maintenance every try would be answered 503.
    in_maintenance = f"if [ -e {CLOSED} ]; then\n{configured}\nexit\nfi"
    return f"{in_maintenance}\n{script} || exit 1\n{_IF_TOO_SLOW.format(configured=configured)}"


def _is_configured(limit: RateLimit, memory: int) -> str:
    """Return a test that succeeds when the configuration has the limit; whether the workers have it is told besides."""
    text = "nginx -T 2>/dev/null | sed 's/^ *//'"
    location = shlex.quote(f"location {limit.path} {{")
    return (
        f"{text} | grep -xF {shlex.quote(limit.zone_line(memory))} && "
        f"{text} | grep -xF -A {LOCATION_LINES} {location} | grep -xF {shlex.quote(limit.line)}"
    )


def local_address(place: SitePlace) -> str:
    """Return where the host itself reaches our site by HTTPS, over IPv4 if it can."""
    sockets = sorted((socket.at for socket in place.https), key=lambda address: address.startswith("["))
    address = sockets[0] if ":" in sockets[0] else f"*:{sockets[0]}"
    return address.replace("*:", f"{LOOPBACK}:", 1).replace("[::]:", "[::1]:", 1)
