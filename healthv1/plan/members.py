"""The members of an environment, present and former, by the records of its hosts.

A host that leaves the inventory goes on serving until it is retired. It is not asked any more; the others' records
name it.
A host is its address. The same name at another address is another host.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from deploys.this_host import PARTS
from healthv1.plan import Left

PART_OF_MARK = {
    "cluster": "database",
    "redis": "database",
    "pgbouncer": "api",
    "account": "api",
    "nginx": "edge",
    "lineage": "edge",
    "repository": "repository",
    "drill": "drill",
}
"""The part that a mark on a host stands for: earlier versions recorded no parts."""
DEPLOYED = frozenset(PART_OF_MARK.values())
RETIRED = 20  # retired hosts that are still known, so that a second run finds them


@dataclass(frozen=True)
class Member:
    name: str
    address: str
    """Where it is reached by SSH."""
    private_address: str = ""
    parts: tuple[str, ...] = ()
    """Its parts by the inventory, and past parts that were not retired."""
    ssh_user: str = ""
    ssh_port: int = 22

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"parts": list(self.parts)}

    @property
    def addresses(self) -> frozenset[str]:
        """Return the addresses that only this member can have at present."""
        return frozenset({self.address, self.private_address} - {""} - _loopback(self.private_address))


@dataclass(frozen=True)
class Present:
    """A host of the inventory that was asked."""

    member: Member
    record: Mapping[str, Any]
    """What it keeps of the last apply."""
    marks: Mapping[str, str]

    @property
    def with_past_parts(self) -> Member:
        """Return the member with its past parts: by its own record, else by its marks.

        The marks of a host that was retired stand still: what is kept there is ours.
        """
        marked = (
            () if self._own("retired") else tuple(PART_OF_MARK[mark] for mark in self.marks if mark in PART_OF_MARK)
        )
        own = self._own()
        before = own.parts if own else marked
        return replace(self.member, parts=_ordered([*self.member.parts, *before]))

    @property
    def applied_parts(self) -> tuple[str, ...]:
        """Return the parts that an apply gave it."""
        own = self._own()
        return own.parts if own else ()

    def _own(self, under: str = "members") -> Member | None:
        return next((member for member in read(self.record, under) if member.address == self.member.address), None)

    @property
    def left(self) -> tuple[str, ...]:
        """Return the parts that it no longer plays and still has."""
        return tuple(part for part in self.with_past_parts.parts if part in DEPLOYED and part not in self.member.parts)


def read(record: Mapping[str, Any], under: str = "members") -> list[Member]:
    """Return the members in a host's record. Unreadable ones are skipped; earlier versions recorded none."""
    documents = record.get(under)
    return [member for document in (documents if isinstance(documents, list) else ()) if (member := _member(document))]


def _member(document: Any) -> Member | None:
    try:
        texts = {name: str(document.get(name, "")) for name in ("name", "address", "private_address", "ssh_user")}
        parts = _ordered(map(str, document.get("parts", ())))
        member = Member(**texts, parts=parts, ssh_port=int(document.get("ssh_port", 22)))
    except (AttributeError, TypeError, ValueError):
        return None
    return member if member.name and member.address else None


def known_members(present: Sequence[Present]) -> tuple[Member, ...]:
    """Return all members: the present hosts by their own state, the others by any host's record."""
    here = {host.member.address: host.with_past_parts for host in present}
    taken = frozenset(address for member in here.values() for address in member.addresses)
    others: dict[str, Member] = {}
    for member in (member for host in present for member in read(host.record)):
        if not member.addresses & taken:
            before = others.get(member.address, member)
            others[member.address] = replace(member, parts=_ordered([*member.parts, *before.parts]))
    return tuple(sorted([*here.values(), *others.values()], key=lambda member: member.address))


def find_leavers(everybody: Iterable[Member], inventory: Iterable[Member]) -> tuple[Member, ...]:
    """Return the members whose addresses the inventory does not have any more."""
    addresses = frozenset(address for member in inventory for address in member.addresses)
    return tuple(member for member in everybody if not member.addresses & addresses)


def left(environment: str, present: Sequence[Present], inventory: Sequence[Member]) -> tuple[Left, ...]:
    """Return the hosts that left the inventory, and the parts that hosts left, for a plan."""
    leavers = find_leavers(known_members(present), inventory)
    return (*_hosts(environment, leavers, inventory), *_parts(environment, present))


def unambiguous_name(member: Member, leavers: Iterable[Member], inventory: Iterable[Member]) -> str:
    """Return a leaver's name, or its address where another member has that name."""
    namesakes = [
        other for other in (*leavers, *inventory) if other.name == member.name and other.address != member.address
    ]
    return member.address if namesakes else member.name


def _hosts(environment: str, leavers: tuple[Member, ...], inventory: Sequence[Member]) -> Iterator[Left]:
    for leaver in leavers:
        what = (
            f"{leaver.name} ({leaver.address}) was of this environment and is not in the inventory any more:"
            " it goes on serving with its keys."
        )
        way_out = f"healthv1 retire {environment} {unambiguous_name(leaver, leavers, inventory)}"
        yield Left(leaver.name, leaver.address, leaver.parts, what, way_out)


def _parts(environment: str, present: Sequence[Present]) -> Iterator[Left]:
    for host in present:
        if host.left:
            name, parts = host.member.name, " and ".join(host.left)
            what = f"{name} does not play {parts} any more: what it had for it goes on serving with its keys."
            options = " ".join(f"--part {part}" for part in host.left)
            yield Left(name, host.member.address, host.left, what, f"healthv1 retire {environment} {name} {options}")


def record_without(record: Mapping[str, Any], member: Member, parts: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a host's record once `member` was retired, or only some `parts` of it."""
    members = [other for other in read(record) if other.address != member.address]
    staying = tuple(part for part in member.parts if part not in parts)
    if parts:
        return {**record, "members": _listed([*members, replace(member, parts=staying)])}
    retired = [other for other in read(record, "retired") if other.address != member.address]
    return {**record, "members": _listed(members), "retired": _listed([*retired, member])[-RETIRED:]}


def _listed(members: Iterable[Member]) -> list[dict[str, Any]]:
    return [member.as_json() for member in members]


def _ordered(parts: Iterable[str]) -> tuple[str, ...]:
    unordered = set(parts)
    return tuple(part for part in PARTS if part in unordered)


def _loopback(address: str) -> frozenset[str]:
    try:
        return frozenset({address} if ipaddress.ip_address(address).is_loopback else ())
    except ValueError:
        return frozenset()
