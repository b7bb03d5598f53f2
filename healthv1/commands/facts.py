"""`healthv1 facts`: what the hosts are made of and what runs on them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from deploys.facts.machine import MachineState
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.session import opened


def facts(environment: str, limit: tuple[str, ...]) -> dict[str, Any]:
    """Return each host's facts by name; a host that cannot be asked is among the faults."""
    facts_by_host: dict[str, dict[str, Any]] = {}

    def measure(host: Host) -> None:
        facts_by_host[host.name] = asdict(host.get_fact(MachineState, _sudo=True))

    with opened(environment, limit, read_site=False) as session:
        session.on_each(measure)
        faults = [asdict(fault) for faults in session.faults.values() for fault in faults]
        hosts = {host.name: facts_by_host[host.name] for host in session.hosts}
    return {"schema": 1, "environment": environment, "hosts": hosts, "faults": faults}
