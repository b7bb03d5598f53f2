"""A finding: the result of a claim."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from healthv1.errors import Fault

SCHEMA = 1


@dataclass(frozen=True)
class Finding:
    host: str
    component: str
    claim: str
    holds: bool
    evidence: str = ""
    """The output that shows it, when the claim does not hold."""
    hint: str = ""


def as_json(environment: str, findings: list[Finding], faults: Iterable[Fault]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "environment": environment,
        "holds": all(finding.holds for finding in findings) and not list(faults),
        "findings": [asdict(finding) for finding in findings],
        "faults": [asdict(fault) for fault in faults],
    }


def lines(findings: list[Finding], everything: bool) -> Iterator[str]:
    """Yield the findings by host and component: those that do not hold, or `everything`."""
    for (host, component), group in _grouped(findings, lambda finding: (finding.host, finding.component)).items():
        broken = [finding for finding in group if not finding.holds]
        yield f"{'✗' if broken else '✓'} {host}  {component}: {len(group) - len(broken)} of {len(group)} hold"
        if everything:
            yield from (f"    ✓ {finding.claim}" for finding in group if finding.holds)
        # Claims with the same evidence have one cause: it is printed once. Without evidence each is its own cause.
        for same_evidence in _grouped(broken, lambda finding: finding.evidence or finding.claim).values():
            yield from (f"    ✗ {finding.claim}" for finding in same_evidence)
            yield from (f"        {line}" for line in same_evidence[0].evidence.splitlines()[-5:])
            yield f"        Hint: {same_evidence[0].hint}"


def _grouped(findings: Iterable[Finding], key: Callable[[Finding], Any]) -> dict[Any, list[Finding]]:
    """Return the findings in groups by `key`, in the order of each group's first."""
    groups: dict[Any, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(key(finding), []).append(finding)
    return groups
