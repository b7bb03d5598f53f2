"""Chooses the host to retire, and refuses if it may not be: before that host is asked anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from healthv1.errors import Fault, Refused
from healthv1.plan.members import DEPLOYED, Member, Present, find_leavers, known_members, read


@dataclass(frozen=True)
class Chosen:
    member: Member
    named: bool
    """The inventory names it."""
    parts: tuple[str, ...] = ()
    """The parts to retire; empty for the whole host."""
    retired: bool = False
    """It was retired already."""

    @property
    def leaving(self) -> frozenset[str]:
        """Return the parts that are taken down, whether or not anybody remembers that it played them."""
        return frozenset(self.parts) or DEPLOYED


def choose(name: str, parts: tuple[str, ...], present: Sequence[Present], inventory: Sequence[Member]) -> Chosen:
    """Return the host that is called `name`, or is at that address. Raises `Refused`."""
    leavers = find_leavers(known_members(present), inventory)
    by_address = [leaver for leaver in leavers if leaver.address == name]
    by_name = [leaver for leaver in leavers if leaver.name == name]
    here = next((member for member in inventory if name in (member.name, member.address)), None)
    if here and not by_address:
        if by_name and not parts:
            raise Refused(_ambiguous_name(here, by_name))
        return _choose_parts(here, parts, present)
    if len(by_address or by_name) > 1:
        addresses = ", ".join(leaver.address for leaver in by_name)
        raise Refused(Fault(name, "More than one host of that name is remembered.", f"give its address: {addresses}"))
    for leaver in by_address or by_name:
        return _choose_leaver(leaver, parts)
    for retired in (member for host in present for member in read(host.record, "retired")):
        if name in (retired.name, retired.address):
            return replace(_choose_leaver(retired, parts), retired=True)
    raise Refused(_unknown_host(name, leavers))


def _choose_leaver(member: Member, parts: tuple[str, ...]) -> Chosen:
    if parts:
        what = "The inventory does not name it any more: all of it is taken down."
        raise Refused(Fault(member.name, what, "leave --part out"))
    return Chosen(member, named=False)


def _choose_parts(member: Member, parts: tuple[str, ...], present: Sequence[Present]) -> Chosen:
    """What the inventory has it play the next apply would put up again."""
    played = [part for part in (parts or sorted(DEPLOYED)) if part in member.parts]
    if played:
        what = f"The inventory has it play {' and '.join(played)}: the next apply would put that up again."
        raise Refused(Fault(member.name, what, "take it out of the inventory first, and apply to the others"))
    own = next((host.with_past_parts for host in present if host.member.address == member.address), member)
    return Chosen(own, named=True, parts=parts or tuple(sorted(DEPLOYED)))


def _ambiguous_name(member: Member, leavers: Sequence[Member]) -> Fault:
    addresses = " or ".join(leaver.address for leaver in leavers)
    what = f"The inventory names it, at {member.address}; another of that name was at {addresses}."
    return Fault(member.name, what, f"give the address of the one that is to be taken down: {addresses}")


def _unknown_host(name: str, leavers: Sequence[Member]) -> Fault:
    leaver_names = ", ".join(f"{leaver.name} ({leaver.address})" for leaver in leavers)
    return Fault(
        name,
        "No host remembers one of that name, and the inventory does not name it.",
        f"remembered, and not in the inventory: {leaver_names or 'nobody'}",
    )


def refuse_too_early(environment: str, chosen: Chosen, staying: Sequence[Present]) -> None:
    """Raise `Refused` while whoever is to play its parts instead was not applied to: nobody would serve."""
    for part in chosen.member.parts:
        heirs = [host for host in staying if part in host.member.parts and part in chosen.leaving]
        if heirs and not any(part in host.applied_parts for host in heirs):
            names = " and ".join(host.member.name for host in heirs)
            what = f"It plays {part} still, and {names}, which is to play it now, was not applied to since."
            raise Refused(Fault(chosen.member.name, what, f"healthv1 apply {environment}, then retire it"))


def refuse_data(chosen: Chosen, typed: str, other_holders: Sequence[str], *, has_database: bool) -> None:
    """Raise `Refused` unless what is patients' may go. `other_holders`: the hosts that hold the database besides."""
    member = chosen.member
    if typed not in (member.name, member.address):
        what = f"--with-data names {typed}."
        raise Refused(Fault(member.name, what, f"type the host's name again: --with-data {member.name}"))
    if has_database and "database" in chosen.leaving and not other_holders:
        what = "No other host of the inventory holds the database: its data may be the only one."
        raise Refused(Fault(member.name, what, "leave --with-data out: it is taken down, and its data stays"))


def refuse_others(chosen: Chosen, record: Mapping[str, Any], key: str, environment: str) -> None:
    """Raise `Refused` when another environment has taken the host over since: it serves that one."""
    if record.get("key") in (None, key) or _is_same_member(chosen.member, record, environment):
        return
    other_environment = record.get("environment")
    last = f"as a host of {other_environment}" if other_environment else "under another plan_key"
    what = f"It was last applied to {last}."
    forget = f"healthv1 retire {environment} {chosen.member.name} --forget"
    hint = f"it is not ours to take down any more: {forget}, or apply to it once more and retire it then"
    raise Refused(Fault(chosen.member.name, what, hint))


def _is_same_member(member: Member, record: Mapping[str, Any], environment: str) -> bool:
    """Whether only the plan_key was replaced since: it knows itself as of this environment."""
    return record.get("environment") == environment and any(
        remembered.address == member.address for remembered in read(record)
    )
