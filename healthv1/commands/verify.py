"""`healthv1 verify`: every claim, tried on the hosts and from outside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from healthv1.errors import Fault
from healthv1.hints import with_environment
from healthv1.hosts.session import opened
from healthv1.journal.recording import record
from healthv1.plan import finding
from healthv1.plan.finding import Finding
from healthv1.rollout import losses
from healthv1.rollout.progress import Progress
from healthv1.verify import end_to_end, inside, junit, maintenance, outside


@dataclass(frozen=True)
class Report:
    environment: str
    findings: list[Finding]
    faults: list[Fault] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return all(finding.holds for finding in self.findings) and not self.faults

    def as_json(self) -> dict[str, Any]:
        return finding.as_json(self.environment, self.findings, self.faults)

    def as_junit(self) -> str:
        return junit.document(self.environment, self.findings, self.faults)


def verify(environment: str, limit: tuple[str, ...]) -> Report:
    progress = Progress()
    progress.note(f"Verifying {environment}")
    with opened(environment, limit) as session:
        losses.refuse(session)
        closed = maintenance.closed_hosts(session)
        findings = [
            *maintenance.findings(session, closed),
            *inside.findings(session),
            *end_to_end.findings(session, closed),
            *outside.findings(session, closed),
        ]
        findings = [with_environment(finding, environment) for finding in findings]
        faults = [fault for faults in session.faults.values() for fault in faults]
        report = Report(environment, findings, faults)
        result = "every claim holds" if report.holds else "not every claim holds"
        record(session, "verify", progress.note, result, progress.seconds())
    return report
