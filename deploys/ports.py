"""The TCP ports of our parts and their units, and conflicts with other listeners on a host."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from deploys.foreign import Foreign
from deploys.stack import LOOPBACK, Stack, Topology

ALL_ADDRESSES = ("0.0.0.0", "::")  # noqa: S104 - what others listen on is compared with it
_NGINX = "nginx.service"


@dataclass(frozen=True)
class PortClaim:
    """A port for one of our parts."""

    port: int
    part: str
    """The part's name, for messages."""
    addresses: tuple[str, ...]
    unit: str = ""
    """A glob for the units that may listen on it: our own, or shared ones such as nginx."""
    setting: str = ""
    """The setting for the port; empty if it is fixed."""
    mark: str = ""
    """The mark with the unit's name, for units with a packaged name."""
    mark_pattern: str = "{}.service"
    """A glob for that unit; {} stands for the mark's value."""
    required_files: str = ""
    """Files that exist once a shared unit serves us; empty for units of our own name."""

    def units(self, marks: Mapping[str, str]) -> tuple[str, ...]:
        """Return globs for the units that may listen on it, on a host with these marks."""
        named = self.mark_pattern.format(marks[self.mark]) if self.mark in marks else ""
        return tuple(unit for unit in (self.unit, named) if unit)


@dataclass(frozen=True)
class Listener:
    """A listening program whose unit is not ours."""

    port: int
    address: str
    """As `ss` prints it: * is every address of both families, 0.0.0.0 and :: of one family."""
    program: str
    owner: str
    """Its unit, else its process ID."""


def port_claims(
    stack: Stack, topology: Topology, parts: Iterable[str], status_port: int, repository_port: int = 0
) -> Iterator[PortClaim]:
    """Yield the ports of a host that plays `parts`. `repository_port`: 0 where no host keeps another's backups."""
    if "database" in parts:
        yield from _data_claims(stack, (LOOPBACK, topology.own))
    if "api" in parts:
        yield from _application_claims(stack, ALL_ADDRESSES[:1] if topology.remote(topology.edge) else (LOOPBACK,))
    if "edge" in parts:
        yield PortClaim(80, "Nginx", ALL_ADDRESSES, _NGINX)
        yield PortClaim(443, "Nginx", ALL_ADDRESSES, _NGINX)
        our_files = "/etc/nginx/*/*health-v1*"
        yield PortClaim(status_port, "Nginx", (LOOPBACK,), _NGINX, "nginx.status_port", required_files=our_files)
    if "repository" in parts and repository_port:
        unit = "health-v1-repository.service"
        yield PortClaim(repository_port, "the backups' repository", (topology.own,), unit, "RepositoryHost.port")


def _data_claims(stack: Stack, addresses: tuple[str, ...]) -> Iterator[PortClaim]:
    port, setting = stack.postgresql_port, "stack.postgresql_port"
    yield PortClaim(
        port, "PostgreSQL", addresses, setting=setting, mark="cluster", mark_pattern="postgresql@*-{}.service"
    )
    unit = "redis-server@health-v1.service"
    yield PortClaim(stack.redis_port, "Redis", addresses, unit, "stack.redis_port", "redis")


def _application_claims(stack: Stack, addresses: tuple[str, ...]) -> Iterator[PortClaim]:
    unit, api_units = "health-v1-pgbouncer.service", "health-v1-api@*.service"
    yield PortClaim(stack.pooler_port, "PgBouncer", (LOOPBACK,), unit, "stack.pooler_port", "pgbouncer")
    for port in stack.instances:
        yield PortClaim(port, "the API", addresses, api_units, "stack.instances")
        yield PortClaim(stack.metrics_port(port), "the API's metrics", (LOOPBACK,), api_units, "stack.metrics_offset")


def port_conflicts(
    claims: Iterable[PortClaim], listeners: Iterable[Listener], busy: Iterable[int] = ()
) -> Iterator[Foreign]:
    """Yield each claimed port that somebody else listens on, once.

    + busy: all ports in use. A hint proposes none of them.
    """
    claims, by_port = tuple(claims), dict[int, list[Listener]]()
    for listener in listeners:
        by_port.setdefault(listener.port, []).append(listener)
    used_ports = {*busy, *by_port, *(claim.port for claim in claims)}
    for claim in claims:
        listeners_there = [
            listener
            for listener in by_port.get(claim.port, ())
            if any(_overlap(listener.address, own) for own in claim.addresses)
        ]
        if listeners_there:
            yield _port_conflict(claim, listeners_there, used_ports)


def _port_conflict(claim: PortClaim, listeners: Iterable[Listener], used_ports: Container[int]) -> Foreign:
    names = " and ".join(dict.fromkeys(f"{listener.program} ({listener.owner})" for listener in listeners))
    return Foreign(
        f"port {claim.port}",
        f"{names} has it.",
        f"An apply could not have {claim.part} listen on it.",
        _way_out(claim, used_ports),
    )


def _way_out(claim: PortClaim, used_ports: Container[int]) -> str:
    if not claim.setting:
        return "move it to another port, or stop it"
    free = next((port for port in range(claim.port + 1, 65536) if port not in used_ports), None)
    example = f", such as {free}," if free and claim.setting.endswith("_port") else ""
    return f"set {claim.setting} to what is free{example} in group_data, or stop it"


def _overlap(their_address: str, our_address: str) -> bool:
    """Whether the addresses exclude each other on one port."""
    if their_address in {"*", our_address}:
        return True
    is_ipv6 = ":" in their_address
    return is_ipv6 == (":" in our_address) and (their_address in ALL_ADDRESSES or our_address in ALL_ADDRESSES)
