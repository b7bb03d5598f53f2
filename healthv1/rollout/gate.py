"""A gate: the claims of the changed components hold, or the rollout stops."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import gevent

from deploys.operations.claims import Claim
from healthv1.errors import Fault
from healthv1.hosts.connector import FastSSH
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.session import Session
from healthv1.plan.finding import Finding
from healthv1.verify import inside

PAUSE = 0.5
"""Seconds between two tries at first; each wait is longer than the one before."""


def failing_claims(
    session: Session, due: Mapping[Host, list[Claim]], settle: float, stopping: Callable[[], bool]
) -> dict[Host, list[Finding]]:
    """Try the claims, and retry failing ones for `settle` seconds; return the findings that do not hold, by host."""
    deadline, pause = time.monotonic() + settle, PAUSE
    left = {host: [(claim.component, claim.check) for claim in claims] for host, claims in due.items() if claims}
    while True:
        broken: dict[Host, list[Finding]] = {}

        def attempt(host: Host, broken: dict[Host, list[Finding]] = broken) -> None:
            results = zip(left[host], inside.try_claims(host, left[host]), strict=True)
            failing = [(claim, finding) for claim, finding in results if not finding.holds]
            left[host] = [claim for claim, _ in failing]
            broken[host] = [finding for _, finding in failing]

        session.on_each(attempt, [host for host in left if left[host]])
        red = {host: findings for host, findings in broken.items() if findings}
        if not red or time.monotonic() + pause > deadline or stopping():
            return red
        gevent.sleep(pause)
        for host in red:
            if isinstance(host.connector, FastSSH):
                host.connector.forget()  # its state still changes
        pause = min(2 * pause, 4)


def fault(finding: Finding) -> Fault:
    evidence = f":\n{finding.evidence}" if finding.evidence else "."
    return Fault(f"{finding.host}: {finding.component}", f'"{finding.claim}" does not hold{evidence}', finding.hint)
