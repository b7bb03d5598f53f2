"""Present and former members of the environment, by the records on the hosts of a session."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import replace

from deploys.facts.marks import Marks
from deploys.facts.record import Record
from deploys.this_host import PARTS
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.scripts import ssh_hosts
from healthv1.hosts.session import Session
from healthv1.plan import Plan, members
from healthv1.plan.members import Member, Present


def read_records(session: Session) -> None:
    """Read each host's record into the session. Together with a plan this costs no round trip."""

    def ask(host: Host) -> None:
        session.records[host.name] = host.get_fact(Record, _sudo=True)

    session.on_each(ask)


def with_left_members(session: Session, plan: Plan) -> Plan:
    """Read each host's record into the session; return the plan with the members that left the inventory."""
    read_records(session)
    return replace(plan, left=members.left(session.environment, present_hosts(session), inventory_members(session)))


def known_members(session: Session) -> tuple[Member, ...]:
    return members.known_members(present_hosts(session))


def present_hosts(session: Session, without: Container[Host] = ()) -> list[Present]:
    """Return the hosts of the session with their records; recorded hosts, which keep none, are left out."""
    return [
        Present(_member(host), session.records.get(host.name, {}), _marks(session, host))
        for host in ssh_hosts(session.hosts)
        if host not in without
    ]


def inventory_members(session: Session) -> list[Member]:
    """Return all members that the inventory names, whether or not they were asked."""
    return members_of(session.all_hosts)


def members_of(hosts: Iterable[Host]) -> list[Member]:
    return [_member(host) for host in hosts]


def _marks(session: Session, host: Host) -> dict[str, str]:
    """Return the marks of a host. They count until its own record names it; they were read at connection."""
    remembered = members.read(session.records.get(host.name, {}))
    if any(member.address == _member(host).address for member in remembered):
        return {}
    with session.on(host):
        marks: dict[str, str] = host.get_fact(Marks, _sudo=True)
    return marks


def _member(host: Host) -> Member:
    setting = host.data.get
    return Member(
        name=str(host.name),
        address=str(setting("ssh_hostname") or host.name),
        private_address=str(setting("private_address") or ""),
        parts=tuple(part for part in PARTS if part in host.groups),
        ssh_user=str(setting("ssh_user") or ""),
        ssh_port=int(setting("ssh_port") or 22),
    )
