"""What became of a claim."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
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
    for (host, component), group in groupby(findings, key=lambda one: (one.host, one.component)):
        some = list(group)
        broken = [one for one in some if not one.holds]
        yield f"{'✗' if broken else '✓'} {host}  {component}: {len(some) - len(broken)} of {len(some)} hold"
        for one in some if everything else broken:
            yield f"    {'✓' if one.holds else '✗'} {one.claim}"
            if not one.holds:
                yield from (f"        {line}" for line in one.evidence.splitlines()[-5:])
                yield f"        Hint: {one.hint}"
