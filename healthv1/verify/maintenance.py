"""Whether a maintenance keeps visitors out. While it does, what they would be promised is not tried: all is 503."""

from __future__ import annotations

from collections.abc import Mapping

from deploys.facts.maintenance import Maintenance, MaintenanceRecord
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.session import Session
from healthv1.plan.finding import Finding

CLAIM = "No maintenance keeps visitors out"
Closed = Mapping[str, MaintenanceRecord]
"""The edge hosts on which a maintenance is on, by name."""


def closed_hosts(session: Session) -> Closed:
    closed: dict[str, MaintenanceRecord] = {}

    def ask(host: Host) -> None:
        if record := host.get_fact(Maintenance, _sudo=True):
            closed[host.name] = record

    session.on_each(ask, [host for host in session.hosts if "edge" in host.groups])
    return closed


def findings(session: Session, closed: Closed) -> list[Finding]:
    """Return one finding per edge host."""
    return [_finding(host.name, closed.get(host.name)) for host in session.hosts if "edge" in host.groups]


def _finding(host: str, record: MaintenanceRecord | None) -> Finding:
    evidence = (
        f'maintenance is on until {record.ends}, by {record.by or "somebody"}: "{record.message}"' if record else ""
    )
    return Finding(host, "maintenance", CLAIM, record is None, evidence, "healthv1 maintenance off ENV")
