"""What each command does, without a terminal: open a session, work, return data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pyinfra.api.host import Host

from deploys.facts.lock import Lock
from deploys.facts.machine import MachineState
from deploys.facts.record import Record
from healthv1 import drift as drifts
from healthv1 import output
from healthv1.drift import Drift
from healthv1.engine import losses, membership, planner
from healthv1.engine.looks import looks, refuse_formless_arguments
from healthv1.engine.session import opened
from healthv1.errors import Fault
from healthv1.hints import named
from healthv1.journal.recording import record
from healthv1.lock.locking import note_deploys
from healthv1.plan import Plan
from healthv1.progress import Progress
from healthv1.saved import saving
from healthv1.verify import end_to_end, finding, inside, junit, outside, sign_in
from healthv1.verify.finding import Finding


@dataclass(frozen=True)
class Report:
    environment: str
    findings: list[Finding]
    faults: list[Fault] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return all(one.holds for one in self.findings) and not self.faults

    def as_json(self) -> dict[str, Any]:
        return finding.as_json(self.environment, self.findings, self.faults)

    def as_junit(self) -> str:
        return junit.document(self.environment, self.findings, self.faults)


def plan(environment: str, limit: tuple[str, ...], out: Path | None = None) -> Plan:
    """Raises `Refused` when nothing at all can be planned, or the plan cannot be saved to `out`."""
    progress = Progress()
    progress.note(f"Planning {environment}")
    with opened(environment, limit) as session:
        losses.refuse(session)
        refuse_formless_arguments(session)
        made = membership.told(session, planner.plan(session, besides=(Lock, Record)))
        if out and not made.faults:
            output.write(out, saving.saved(session, made, limit).text())
        elif out:
            progress.note(f"A plan with faults is not saved: {out} was not written")
        note_deploys(session, progress.note)
        result = (
            "not every host could be planned" if made.faults else "changes are due" if made.steps else "nothing to do"
        )
        record(session, "plan", progress.note, result, progress.seconds(), made.steps)
    return made


def drift(environment: str, limit: tuple[str, ...]) -> Drift:
    """Raises `Refused` when nothing at all can be planned."""
    progress = Progress()
    progress.note(f"Looking for drift of {environment}")
    with opened(environment, limit) as session:
        losses.refuse(session)
        refuse_formless_arguments(session)
        made = membership.told(session, planner.plan(session, besides=(Lock, Record)))
        under = saving.digests(session)
        return drifts.drift(made, looks(session, under), session.known, under.name)


def verify(environment: str, limit: tuple[str, ...]) -> Report:
    progress = Progress()
    progress.note(f"Verifying {environment}")
    with opened(environment, limit) as session:
        losses.refuse(session)
        kinds = (sign_in, inside, end_to_end, outside)
        found = [named(one, environment) for kind in kinds for one in kind.findings(session)]
        faults = [fault for faults in session.faults.values() for fault in faults]
        report = Report(environment, found, faults)
        result = "every claim holds" if report.holds else "not every claim holds"
        record(session, "verify", progress.note, result, progress.seconds())
    return report


def facts(environment: str, limit: tuple[str, ...]) -> dict[str, Any]:
    """Return each host's facts by name; a host that cannot be asked is among the faults."""
    found: dict[str, dict[str, Any]] = {}

    def measure(host: Host) -> None:
        found[host.name] = asdict(host.get_fact(MachineState, _sudo=True))

    with opened(environment, limit, read_site=False) as session:
        session.on_each(measure)
        faults = [asdict(fault) for faults in session.faults.values() for fault in faults]
        hosts = {host.name: found[host.name] for host in session.hosts}
    return {"schema": 1, "environment": environment, "hosts": hosts, "faults": faults}
