"""Which TCP ports our parts listen on, under which units, and whose they are on a host."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from deploys.foreign import Foreign
from deploys.stack import LOOPBACK, Stack, Topology

EVERY = ("0.0.0.0", "::")  # noqa: S104 - what others listen on is compared with it
_NGINX = "nginx.service"


@dataclass(frozen=True)
class Claimed:
    """A port that a part of ours listens on."""

    port: int
    by: str
    """As a user would name the part."""
    addresses: tuple[str, ...]
    unit: str = ""
    """A pattern of the units that may have it, by their name: ours, or such as serve us beside their owner's things."""
    setting: str = ""
    """What names the port; empty where nothing does."""
    mark: str = ""
    """A mark that names the unit where it is called as the distribution's."""
    marked: str = "{}.service"
    """A pattern of that unit, with the mark's value in braces."""
    only_if: str = ""
    """Files that are there once the unit serves us; empty where its name says enough."""

    def units(self, marks: Mapping[str, str]) -> tuple[str, ...]:
        """Return patterns of the units that may have it on a host with these marks."""
        named = self.marked.format(marks[self.mark]) if self.mark in marks else ""
        return tuple(unit for unit in (self.unit, named) if unit)


@dataclass(frozen=True)
class Listener:
    """A program that has a port, in a unit that is none of ours."""

    port: int
    address: str
    """As `ss` has it: * is every address of both families, 0.0.0.0 and :: those of one."""
    program: str
    who: str
    """Its unit, or else its process."""


def claimed(stack: Stack, topology: Topology, parts: Iterable[str], status_port: int) -> Iterator[Claimed]:
    """Yield the ports of a host that plays `parts`."""
    if "database" in parts:
        yield from _data(stack, (LOOPBACK, topology.own))
    if "api" in parts:
        yield from _application(stack, EVERY[:1] if topology.remote(topology.edge) else (LOOPBACK,))
    if "edge" in parts:
        yield Claimed(80, "Nginx", EVERY, _NGINX)
        yield Claimed(443, "Nginx", EVERY, _NGINX)
        ours = "/etc/nginx/*/*health-v1*"
        yield Claimed(status_port, "Nginx", (LOOPBACK,), _NGINX, "nginx.status_port", only_if=ours)


def _data(stack: Stack, addresses: tuple[str, ...]) -> Iterator[Claimed]:
    port, named = stack.postgresql_port, "stack.postgresql_port"
    yield Claimed(port, "PostgreSQL", addresses, setting=named, mark="cluster", marked="postgresql@*-{}.service")
    unit = "redis-server@health-v1.service"
    yield Claimed(stack.redis_port, "Redis", addresses, unit, "stack.redis_port", "redis")


def _application(stack: Stack, addresses: tuple[str, ...]) -> Iterator[Claimed]:
    unit, ours = "health-v1-pgbouncer.service", "health-v1-api@*.service"
    yield Claimed(stack.pooler_port, "PgBouncer", (LOOPBACK,), unit, "stack.pooler_port", "pgbouncer")
    for port in stack.instances:
        yield Claimed(port, "the API", addresses, ours, "stack.instances")
        yield Claimed(stack.metrics_port(port), "the API's metrics", (LOOPBACK,), ours, "stack.metrics_offset")


def taken(claims: Iterable[Claimed], listeners: Iterable[Listener], busy: Iterable[int] = ()) -> Iterator[Foreign]:
    """Yield each port that somebody else has on an address of ours, once.

    + busy: all ports that anybody listens on, which a hint does not propose.
    """
    claims, by_port = tuple(claims), dict[int, list[Listener]]()
    for listener in listeners:
        by_port.setdefault(listener.port, []).append(listener)
    unfree = {*busy, *by_port, *(claim.port for claim in claims)}
    for claim in claims:
        others = [one for one in by_port.get(claim.port, ()) if any(_meet(one.address, own) for own in claim.addresses)]
        if others:
            yield _taken(claim, others, unfree)


def _taken(claim: Claimed, others: Iterable[Listener], unfree: Container[int]) -> Foreign:
    names = " and ".join(dict.fromkeys(f"{one.program} ({one.who})" for one in others))
    return Foreign(
        f"port {claim.port}",
        f"{names} has it.",
        f"An apply could not have {claim.by} listen on it.",
        _way_out(claim, unfree),
    )


def _way_out(claim: Claimed, unfree: Container[int]) -> str:
    if not claim.setting:
        return "move it to another port, or stop it"
    free = next((port for port in range(claim.port + 1, 65536) if port not in unfree), None)
    such = f", such as {free}," if free and claim.setting.endswith("_port") else ""
    return f"set {claim.setting} to what is free{such} in group_data, or stop it"


def _meet(theirs: str, ours: str) -> bool:
    """Whether both cannot be listened on at once."""
    if theirs in {"*", ours}:
        return True
    six = ":" in theirs
    return six == (":" in ours) and (theirs in EVERY or ours in EVERY)
