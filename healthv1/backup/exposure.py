"""What `healthv1 backup check` found, and what a thief of the host's key could do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from healthv1.hints import with_environment
from healthv1.plan.finding import Finding


@dataclass(frozen=True)
class Exposed:
    """What a thief of the host's key could do to one repository."""

    repository: int
    folder: str
    abilities: tuple[dict[str, str], ...]
    """By verdict (bad, well, unknown, told) and sentence."""


@dataclass(frozen=True)
class Checked:
    environment: str
    host: str
    findings: tuple[Finding, ...]
    exposed: tuple[Exposed, ...]

    @property
    def holds(self) -> bool:
        return all(found.holds for found in self.findings)


def checked(environment: str, host: str, tried: list[dict[str, Any]], exposed: list[dict[str, Any]]) -> Checked:
    """Return it from what the program on the host answered."""
    findings = [Finding(host, "backup", **entry) for entry in tried]
    findings += [_keeps(environment, host, entry) for entry in exposed if entry["locked"]]
    abilities = (
        Exposed(entry["repository"], entry["folder"], tuple(_of(environment, one) for one in entry["abilities"]))
        for entry in exposed
    )
    return Checked(
        environment, host, tuple(with_environment(found, environment) for found in findings), tuple(abilities)
    )


def _keeps(environment: str, host: str, entry: dict[str, Any]) -> Finding:
    claim = f"What the host's key deletes in repository {entry['repository']} can be brought back"
    hint = f"make the bucket and its key as docs/backup-lock.md shows, then: healthv1 backup check {environment}"
    return Finding(host, "backup", claim, not entry["faults"], "\n".join(entry["faults"]), hint)


def _of(environment: str, ability: dict[str, str]) -> dict[str, str]:
    return {**ability, "sentence": ability["sentence"].replace("undelete ENV", f"undelete {environment}")}
