"""Claims about a visitor's view, tried over the network from this machine."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from http.client import HTTPException

import gevent

from deploys.facts.marks import Marks
from deploys.facts.nginx import NginxState
from deploys.nginx.places import sites_by_name
from deploys.sites import OUR_MARK
from deploys.stack import Stack
from healthv1.hosts.connector import FastSSH
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.session import Session, run
from healthv1.plan.finding import Finding
from healthv1.verify.visitor import Visitor

# Tried even where the host itself says that nothing listens there: it may be wrong, or a container may publish it.
COMMON_PORTS = (21, 23, 25, 111, 2375, 3000, 3306, 5432, 6379, 6432, 8080, 8200, 9090, 9100, 9187, 27017)
RENEW_AHEAD = timedelta(days=21)
"""How long a certificate must still last: this, or a third of its life if that is less."""
Claim = tuple[str, Callable[[], str], str]
"""A statement, a function that tries it (it returns "" or the difference), and a hint."""


def findings(session: Session, closed: Collection[str] = ()) -> list[Finding]:
    """Return the findings of all hosts: open ports everywhere, the website where the edge is.

    + closed: hosts that answer every visitor 503, during a maintenance.
    """
    greenlets = []
    for host in session.hosts:
        with session.on(host):
            greenlets += [gevent.spawn(_try, host.name, *claim) for claim in _host_claims(host, host.name in closed)]
    gevent.joinall(greenlets, raise_error=True)
    return [greenlet.value for greenlet in greenlets]


def _host_claims(host: Host, closed: bool) -> Iterator[Claim]:
    for visitor in visitors(host):
        yield from _port_claims(host, visitor)
        if "edge" in host.groups:
            yield from _website_claims(visitor, host.get_fact(Marks, _sudo=True).get("nginx") == OUR_MARK, closed)
            yield from _alias_claims(host, visitor, closed)


def visitors(host: Host) -> list[Visitor]:
    """Return a visitor over IPv4 and, where the inventory names an `address6`, one over IPv6."""
    addresses = (host.data.get("ssh_hostname") or host.name, host.data.get("address6"))
    trust = getattr(host.data.get("certbot"), "trust", None)
    return [Visitor(address, host.data.stack.domain, trust and str(trust)) for address in addresses if address]


def _try(host: str, claim: str, attempt: Callable[[], str], hint: str) -> Finding:
    try:
        difference = attempt()
    except (OSError, HTTPException, ValueError) as error:
        difference = f"{type(error).__name__}: {error}"
    return Finding(host, "outside", claim, not difference, difference, hint)


def _port_claims(host: Host, visitor: Visitor) -> Iterator[Claim]:
    ssh = int(host.data.get("ssh_port") or 22)
    allowed = {ssh, 80, 443} if "edge" in host.groups else {ssh}
    allowed |= {host.data.stack.postgresql_port} if _is_vault(host) else set()
    yield (
        f"Only {', '.join(map(str, sorted(allowed)))} are open at {visitor.address}",
        lambda: _other_open_ports(host, visitor, allowed),
        "run: healthv1 apply ENV; if a container publishes the port, bind it to 127.0.0.1",
    )


def _is_vault(host: Host) -> bool:
    """Whether Vault, which PostgreSQL is open to, runs on this machine, as the host sees it."""
    reading = host.data.get("reading")
    own = host.connector.own_address if isinstance(host.connector, FastSSH) else ""
    return reading is not None and own in reading.vault_addresses


def _other_open_ports(host: Host, visitor: Visitor, allowed: set[int]) -> str:
    listening = run(host, "ss -Htln | awk '{print $4}' | sed 's/.*://' | sort -un")[1].stdout_lines
    stack: Stack = host.data.stack
    ports = {*COMMON_PORTS, *stack.instances, *map(stack.metrics_port, stack.instances), *map(int, listening)}
    other_ports = sorted(ports - allowed)
    greenlets = [gevent.spawn(visitor.is_open, port) for port in other_ports]
    gevent.joinall(greenlets, raise_error=True)
    open_ports = [str(port) for port, greenlet in zip(other_ports, greenlets, strict=True) if greenlet.value]
    return f"open: {', '.join(open_ports)}" if open_ports else ""


def _website_claims(visitor: Visitor, ours: bool, closed: bool) -> Iterator[Claim]:
    """Yield what a visitor is promised. Who answers for unknown names in an owner's Nginx is for him to say."""
    at = f"at {visitor.address}"
    logs = "read: journalctl -u nginx, and the site's error log"
    yield f"HTTPS answers with a trusted chain for {visitor.domain} {at}", lambda: _chain(visitor), logs
    yield f"The certificate does not end soon {at}", lambda: _lasts(visitor), "read: journalctl -u certbot"
    yield f"TLS 1.1 is refused {at}", lambda: _old_tls(visitor), "run: healthv1 apply ENV"
    if ours:
        yield f"An unknown name gets no certificate {at}", lambda: _unknown_name(visitor), "run: healthv1 apply ENV"
    yield f"HTTP redirects to HTTPS {at}", lambda: _redirects(visitor), "run: healthv1 apply ENV"
    if not closed:
        yield (
            f"The API is ready through Nginx {at}",
            lambda: _ready(visitor),
            "read: journalctl -u 'health-v1-api@*'",
        )
        yield f"Metrics are not public {at}", lambda: _hidden(visitor), "run: healthv1 apply ENV"
    yield f"Errors carry HSTS too {at}", lambda: _hsts(visitor), "run: healthv1 apply ENV"


def _alias_claims(host: Host, visitor: Visitor, closed: bool) -> Iterator[Claim]:
    """Yield what holds of further names: in the certificate are all, and at the API those that no other site has."""
    aliases: tuple[str, ...] = host.data.stack.aliases
    foreign = sites_by_name(host.get_fact(NginxState, _sudo=True).sites, aliases) if aliases else {}
    for alias_visitor in (replace(visitor, domain=name) for name in aliases):
        name, at = alias_visitor.domain, f"at {visitor.address}"
        logs = "read: journalctl -u nginx, and the site's error log"
        yield f"HTTPS answers with a trusted chain for {name} {at}", partial(_chain, alias_visitor), logs
        if name not in foreign:
            yield (
                f"HTTP redirects {name} to itself by HTTPS {at}",
                partial(_redirects, alias_visitor),
                "run: healthv1 apply ENV",
            )
            if not closed:
                yield (
                    f"The API is ready as {name} {at}",
                    partial(_ready, alias_visitor),
                    "read: journalctl -u 'health-v1-api@*'",
                )


def _chain(visitor: Visitor) -> str:
    visitor.secured().close()
    return ""


def _lasts(visitor: Visitor) -> str:
    with visitor.secured() as connection:
        certificate = connection.getpeercert() or {}
    began, ends = (
        datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate[when])), timezone.utc)
        for when in ("notBefore", "notAfter")
    )
    enough = min(RENEW_AHEAD, (ends - began) / 3)
    return "" if ends - datetime.now(timezone.utc) > enough else f"it ends at {ends:%Y-%m-%d %H:%M} UTC"


def _old_tls(visitor: Visitor) -> str:
    visitor.connect(443).close()  # a closed port refuses nothing
    try:
        visitor.secured(newest=ssl.TLSVersion.TLSv1_1).close()
    except ssl.SSLError:
        return ""
    return "TLS 1.1 was spoken"


def _unknown_name(visitor: Visitor) -> str:
    visitor.connect(443).close()
    try:
        visitor.secured(name="unknown.invalid").close()
    except ssl.SSLCertVerificationError as error:
        return f"a certificate came: {error.verify_message}"
    except ssl.SSLError:
        return ""
    return "a certificate came"


def _redirects(visitor: Visitor) -> str:
    answer = visitor.get("/some/page?x=1", https=False)
    expected = f"https://{visitor.domain}/some/page?x=1"
    location = answer.headers.get("location")
    return "" if answer.status in {301, 308} and location == expected else f"{answer.status} to {location}"


def _ready(visitor: Visitor) -> str:
    answer = visitor.get("/health/ready")
    ready = answer.status == 200 and json.loads(answer.body).get("status") == "ready"
    return "" if ready else f"{answer.status}: {answer.body[:300]}"


def _hidden(visitor: Visitor) -> str:
    answer = visitor.get("/metrics")
    return "" if answer.status in {403, 404} else f"/metrics answers {answer.status}"


def _hsts(visitor: Visitor) -> str:
    answer = visitor.get("/there/is/no/such/page")
    return "" if "max-age=" in answer.headers.get("strict-transport-security", "") else f"{answer.status} without it"
