"""What became of a claim."""

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
    """What was seen, when the claim does not hold."""
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
    for (host, component), some in _grouped(findings, lambda one: (one.host, one.component)).items():
        broken = [one for one in some if not one.holds]
        yield f"{'✗' if broken else '✓'} {host}  {component}: {len(some) - len(broken)} of {len(some)} hold"
        if everything:
            yield from (f"    ✓ {one.claim}" for one in some if one.holds)
        # What is seen of many was seen for one cause, and that is said once. Nothing seen has nothing in common.
        for alike in _grouped(broken, lambda one: one.evidence or one.claim).values():
            yield from (f"    ✗ {one.claim}" for one in alike)
            yield from (f"        {line}" for line in alike[0].evidence.splitlines()[-5:])
            yield f"        Hint: {alike[0].hint}"


def _grouped(findings: Iterable[Finding], what: Callable[[Finding], Any]) -> dict[Any, list[Finding]]:
    """Return the findings in groups, in the order of each one's first."""
    found: dict[Any, list[Finding]] = {}
    for one in findings:
        found.setdefault(what(one), []).append(one)
    return found
