"""Removes a retired host, or its parts, from the records that the hosts keep."""

from __future__ import annotations

from typing import Any

from healthv1.errors import Fault, HostError
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.scripts import ssh_hosts
from healthv1.hosts.session import Session
from healthv1.plan.members import read, record_without
from healthv1.retire.choosing import Chosen
from healthv1.rollout import last_apply


def hosts_to_update(session: Session, leaving: Host | None, chosen: Chosen) -> list[Host]:
    """Return the hosts whose record names the retired host or parts; the leaving host comes last."""
    hosts = [host for host in ssh_hosts(session.hosts) if host is not leaving]
    remembering = [host for host in hosts if _remembers(session.records.get(host.name, {}), chosen)]
    own = leaving is not None and _still_has(session.records.get(leaving.name, {}), chosen)
    return [*remembering, *([leaving] if leaving and own else [])]


def _remembers(record: dict[str, Any], chosen: Chosen) -> bool:
    entry = next((member for member in read(record) if member.address == chosen.member.address), None)
    return entry is not None and (not chosen.named or bool(set(entry.parts) & set(chosen.parts)))


def _still_has(record: dict[str, Any], chosen: Chosen) -> bool:
    if not chosen.named:
        return "members" in record or "desired" in record
    return bool(set(chosen.member.parts) & set(chosen.parts))


def update_records(session: Session, leaving: Host | None, chosen: Chosen) -> tuple[str, ...]:
    """Update the records; return the hosts' names. Raises `HostError` when one cannot be: a second run updates it."""
    faults: list[Fault] = []
    names: list[str] = []
    for host in hosts_to_update(session, leaving, chosen):
        error = last_apply.store_record(host, session, _record(session, host, leaving, chosen))
        faults += error.faults if error else []
        names += [] if error else [host.name]
    HostError.unless(faults)
    return tuple(names)


def _record(session: Session, host: Host, leaving: Host | None, chosen: Chosen) -> dict[str, Any]:
    parts = chosen.parts if chosen.named else ()
    if host is leaving and not chosen.named:
        past = record_without({}, chosen.member)["retired"]
        return {"schema": last_apply.SCHEMA, "environment": session.environment, "retired": past}
    return {"schema": last_apply.SCHEMA, **record_without(session.records.get(host.name, {}), chosen.member, parts)}
