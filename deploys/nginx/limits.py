"""Whether the rate limits bite: tried on the host, from an address of its loopback, so that nobody's own is used up.

Nginx counts by address. Each try draws one of 127.0.0.0/8, which nobody has who comes over a network: what is tried are
every visitor's limits, at the places where they stand, and no visitor is counted.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from deploys.component import Check
from deploys.nginx.places import Place
from deploys.nginx.settings import Nginx
from deploys.stack import LOOPBACK, Stack

MOST = 400
"""Requests that are sent for one claim. Where they are not enough, the limit is looked for in the configuration."""
SPARE = 10  # requests beyond what is let through
WITHIN = 2  # seconds: what is let through meanwhile is sent besides

_DRAWN = """127.$(od -An -N3 -tu1 /dev/urandom | awk '{ print 64 + $1 % 64 "." $2 "." 1 + $3 % 254 }')"""
_TRIED = """since=$(date +%s%3N)
refused=$(curl -ksZ --noproxy '*' --max-time 10 --interface "{source}" --connect-to '::{at}' -X POST -o /dev/null \\
  -w '%{{http_code}}\\n' 'https://{domain}{path}?n=[1-{requests}]' | grep -cx 429 || true)
took=$(($(date +%s%3N) - since)) passed=$(({requests} - refused))
echo "of {requests} requests within $took ms $passed were let through, and $refused were answered 429"
test $passed -ge {least} && test $passed -le $(({at_once} + 1 + took * {rate} / ({seconds} * 1000)))"""
# No more than is right were let through, but all of them: the host is too slow to tell.
_SLOW = """if [ $refused -eq 0 ]; then
{configured}
fi"""


@dataclass(frozen=True)
class Limit:
    what: str
    path: str
    zone: str
    rate: int
    seconds: int
    """`rate` requests in so many, of each address."""
    burst: int

    @property
    def at_once(self) -> int:
        """What is let through at once: the burst, and one that is due."""
        return self.burst + 1

    @property
    def requests(self) -> int:
        return self.at_once + math.ceil(WITHIN * self.rate / self.seconds) + SPARE

    def zone_line(self, memory: int) -> str:
        unit = {1: "s", 60: "m"}[self.seconds]
        return f"limit_req_zone $binary_remote_addr zone={self.zone}:{memory}m rate={self.rate}r/{unit};"

    @property
    def lines(self) -> tuple[str, str]:
        """The site's lines that put it into force, one after the other."""
        return f"location {self.path} {{", f"limit_req zone={self.zone} burst={self.burst} nodelay;"


def limits(settings: Nginx) -> tuple[Limit, ...]:
    """Return those that the settings have."""
    if not settings.rate_limits:
        return ()
    return (
        Limit("API", "/v1/", "health_limit_api", settings.api_rate, 1, settings.api_burst),
        Limit("login", "/v1/auth/", "health_limit_auth", settings.auth_rate, 60, settings.auth_burst),
    )


def checks(settings: Nginx, stack: Stack, place: Place) -> Iterator[Check]:
    """Yield what holds of each limit. Where there is none, nothing is claimed of it."""
    for limit in limits(settings):
        much = f"{limit.at_once} requests at once and {limit.rate} {'a second' if limit.seconds == 1 else 'a minute'}"
        configured = _configured(limit, settings.limit_memory)
        if limit.requests > MOST:
            claim = f"The {limit.what}'s rate limit of {much} is configured: too many to be tried"
            yield Check(claim, configured, "run: healthv1 apply ENV")
        else:
            claim = f"The {limit.what}'s rate limit bites beyond {much}"
            yield Check(claim, _tried(limit, stack, place, configured), "run: healthv1 apply ENV")


def _tried(limit: Limit, stack: Stack, place: Place, configured: str) -> str:
    """Return a test that asks more often than is allowed, all at once: so many pass, and no more."""
    at = reached_at(place)
    drawn = not at.startswith("[")  # IPv6 has one loopback address, whose last try may count still
    tried = _TRIED.format(
        source=_DRAWN if drawn else "::1",
        at=at,
        domain=stack.domain,
        path=limit.path,
        requests=limit.requests,
        least=limit.at_once if drawn else 0,
        at_once=limit.at_once,
        rate=limit.rate,
        seconds=limit.seconds,
    )
    return f"{tried} || exit 1\n{_SLOW.format(configured=configured)}"


def _configured(limit: Limit, memory: int) -> str:
    """Return a test that succeeds when the configuration has the limit; whether the workers have it is told besides."""
    text = "nginx -T 2>/dev/null | sed 's/^ *//'"
    zone, (location, line) = limit.zone_line(memory), limit.lines
    return (
        f"{text} | grep -xF {shlex.quote(zone)} && "
        f"{text} | grep -xF -A 1 {shlex.quote(location)} | grep -xF {shlex.quote(line)}"
    )


def reached_at(place: Place) -> str:
    """Return where the host itself reaches our site by HTTPS, over IPv4 if it can."""
    sockets = sorted((socket.at for socket in place.https), key=lambda at: at.startswith("["))
    at = sockets[0] if ":" in sockets[0] else f"*:{sockets[0]}"
    return at.replace("*:", f"{LOOPBACK}:", 1).replace("[::]:", "[::1]:", 1)
