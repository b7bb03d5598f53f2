"""Who is and was of the environment, as the hosts of a session tell."""

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
    """Note in the session what each host keeps. Asked together with a plan this costs no round trip."""

    def ask(host: Host) -> None:
        session.records[host.name] = host.get_fact(Record, _sudo=True)

    session.on_each(ask)


def with_left_members(session: Session, plan: Plan) -> Plan:
    """Note in the session what each host keeps; return the plan with what they remember and nobody names any more."""
    read_records(session)
    return replace(plan, left=members.left(session.environment, present_hosts(session), inventory_members(session)))


def known_members(session: Session) -> tuple[Member, ...]:
    return members.known_members(present_hosts(session))


def present_hosts(session: Session, without: Container[Host] = ()) -> list[Present]:
    """Return the hosts of the session, with what they remember; recorded ones remember nobody."""
    return [
        Present(_member(host), session.records.get(host.name, {}), _marks(session, host))
        for host in ssh_hosts(session.hosts)
        if host not in without
    ]


def inventory_members(session: Session) -> list[Member]:
    """Return everybody that the inventory names, whether or not asked."""
    return members_of(session.all_hosts)


def members_of(hosts: Iterable[Host]) -> list[Member]:
    return [_member(host) for host in hosts]


def _marks(session: Session, host: Host) -> dict[str, str]:
    """Return the marks of a host; they were asked when it was connected to, and count until it remembers itself."""
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
