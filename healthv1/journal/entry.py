"""The entry of a journal line. It has no diff, no value and no output of a host: so no secret and no patient."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from healthv1.output.redaction import redactor
from healthv1.plan import Step
from healthv1.workspace import provenance

MOST = 50
"""The number of changes that are listed; the entry counts all."""
LONGEST = 120  # characters of each


@dataclass(frozen=True)
class RunHeader:
    """The fields that all lines of a run share."""

    run: str
    command: str
    environment: str
    hosts: tuple[str, ...]
    lock: str = ""
    """A digest of the token of the lock it was made under: whether the run still lives is seen from the lock."""
    by: str = field(default_factory=provenance.name)
    job: str = field(default_factory=provenance.job)
    revision: str = field(default_factory=provenance.revision)
    toolkit: str = field(default_factory=provenance.toolkit)


def body(header: RunHeader, event: str, steps: Sequence[Step], *, host: str = "", **more: Any) -> dict[str, Any]:
    """Return an entry: for a host with the changes there, for the operator (no host) with all."""
    return {
        **{name: _clipped(value) for name, value in vars(header).items()},
        "event": event,
        "at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "count": sum(len(step.changes) for step in steps),
        "changes": list(_changes(steps, host))[:MOST],
        **{name: _clipped(value) for name, value in more.items()},
    }


def _changes(steps: Iterable[Step], host: str) -> Iterable[dict[str, str]]:
    for step in steps:
        if step.host in {host, ""} or not host:
            for change in step.changes:
                values = (step.host, step.component, step.operation, change.kind, change.target, change.action)
                names = ("host", "component", "operation", "kind", "target", "action")
                yield {name: _clipped(value) for name, value in zip(names, values, strict=True) if value}


def _clipped(value: Any) -> Any:
    """Redact, then clip: a clipped secret would not be recognised."""
    if isinstance(value, (tuple, list)):
        return [_clipped(part) for part in value]
    if isinstance(value, dict):
        return {name: _clipped(part) for name, part in value.items()}
    if not isinstance(value, str):
        return value
    text = redactor.redact(value)
    return f"{text[: LONGEST - 1]}…" if len(text) > LONGEST else text
