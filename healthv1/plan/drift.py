"""The cause of each due change: the host was changed since the last apply, or the repository was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from healthv1.errors import Fault
from healthv1.plan import Left, Plan, Step
from healthv1.plan.snapshot import Snapshot

SCHEMA = 1
CAUSES = {
    "host": "changed on the host since the last apply",
    "repository": "changed in the repository, or in the secrets backend, since the last apply",
    "both": "changed on the host, and in the repository",
    "follows": "follows from what else is due, or from the time",
    "unknown": "of unknown cause: no apply is on record",
}


@dataclass(frozen=True)
class Drifted:
    cause: str
    """One of CAUSES."""
    step: Step


@dataclass(frozen=True)
class LastApply:
    """When a host was last applied to."""

    at: str
    by: str
    revision: str


@dataclass(frozen=True)
class Drift:
    environment: str
    hosts: tuple[str, ...]
    last: dict[str, LastApply]
    """By host; none where no apply is on record."""
    drifted: tuple[Drifted, ...]
    faults: tuple[Fault, ...]
    left: tuple[Left, ...] = ()
    """What the inventory does not name any more."""

    def as_json(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}


def drift(plan: Plan, snapshots: Iterable[Snapshot], records: Mapping[str, Mapping[str, Any]], key: str) -> Drift:
    """Return the cause of each step of `plan`.

    + records: by host, the record of its last apply. Records under another key than `key` are ignored.
    """
    snapshots_by_operation = {
        (snapshot.host, snapshot.component, snapshot.operation): snapshot for snapshot in snapshots
    }
    believed = {host: record for host, record in records.items() if record.get("key") == key}
    drifted = [
        Drifted(
            _cause(snapshots_by_operation[step.host, step.component, step.operation], believed.get(step.host)), step
        )
        for step in plan.steps
    ]
    last = {host: LastApply(record["at"], record["by"], record["revision"]) for host, record in believed.items()}
    return Drift(plan.environment, plan.hosts, last, tuple(drifted), plan.faults, plan.left)


def _cause(snapshot: Snapshot, record: Mapping[str, Any] | None) -> str:
    if record is None:
        return "unknown"
    repository_moved = record["desired"].get(snapshot.name) != snapshot.desired
    host_moved = snapshot.answers_differ_from(record["asked"].get(snapshot.name, {}))
    if repository_moved:
        return "both" if host_moved else "repository"
    return "host" if host_moved else "follows"


def lines(drift: Drift) -> Iterator[str]:
    """Yield what people read: by cause, then by host, one line per change."""
    for cause, title in CAUSES.items():
        steps_of_cause = [drifted.step for drifted in drift.drifted if drifted.cause == cause]
        if steps_of_cause:
            yield f"{title[0].upper()}{title[1:]}:"
        for host, steps in groupby(steps_of_cause, key=lambda step: step.host):
            last = drift.last.get(host)
            yield f"  {host}" + (f"  (last apply: {last.at}, {last.by})" if last else "")
            for step in steps:
                yield from (
                    f"    {step.component}: {change.action} {change.kind} {change.target}" for change in step.changes
                )
    if drift.left:
        yield "Left behind, and not touched by an apply:"
    for left in drift.left:
        yield from (f"  {left.what}", f"    {left.way_out}")


def metrics(drift: Drift, at: float) -> str:
    """Return a file for node_exporter's textfile collector. `at`: seconds since 1970."""
    registry = CollectorRegistry()

    def gauge(name: str, description: str, *labels: str) -> Gauge:
        return Gauge(f"healthv1_drift_{name}", description, ("environment", *labels), registry=registry)

    causes = Counter((drifted.step.host, drifted.cause) for drifted in drift.drifted for _ in drifted.step.changes)
    changes = gauge("changes", "Changes that are due, by why.", "host", "cause")
    for host in drift.hosts:
        for cause in CAUSES:
            changes.labels(drift.environment, host, cause).set(causes[host, cause])
    faults = gauge("faults", "What of hosts, settings or secrets kept drift from being told.")
    faults.labels(drift.environment).set(len(drift.faults))
    left = gauge("left", "Hosts, and parts of hosts, that left the environment and go on serving.")
    left.labels(drift.environment).set(len(drift.left))
    gauge("timestamp_seconds", "When drift was last looked for.").labels(drift.environment).set(at)
    return generate_latest(registry).decode()
