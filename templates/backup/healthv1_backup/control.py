"""What PostgreSQL keeps in a data directory's pg_control, as pg_controldata tells it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from healthv1_backup.processes import Failed, run
from healthv1_backup.settings import Settings

LIMITS = {
    "max_connections setting": "max_connections",
    "max_worker_processes setting": "max_worker_processes",
    "max_wal_senders setting": "max_wal_senders",
    "max_prepared_xacts setting": "max_prepared_transactions",
    "max_locks_per_xact setting": "max_locks_per_transaction",
}
"""A server that recovers refuses to start with less than what wrote the WAL had."""
CLEAN = "shut down"


@dataclass(frozen=True)
class Control:
    system: int
    """The same for a cluster and each of its copies."""
    state: str
    timeline: int
    checkpoint: str
    """The latest checkpoint's position: it moves with each start and stop."""
    segment: str
    """The WAL file with the latest checkpoint's beginning."""
    limits: dict[str, int]

    @property
    def stopped_cleanly(self) -> bool:
        return self.state == CLEAN


def read_control(settings: Settings, data: Path) -> Control:
    """Read a data directory's pg_control. Raises `Failed`."""
    ended = run([str(settings.programs / "pg_controldata"), "-D", str(data)], timeout=30)
    if ended.code:
        raise Failed(f"{data} does not hold a whole cluster: {ended.why}")
    return parse(ended.output)


def parse(text: str) -> Control:
    values = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
    return Control(
        int(values["Database system identifier"]),
        values["Database cluster state"],
        int(values["Latest checkpoint's TimeLineID"]),
        values["Latest checkpoint location"],
        values["Latest checkpoint's REDO WAL file"],
        {parameter: int(values[told]) for told, parameter in LIMITS.items()},
    )


def highest_limits(*controls: Control) -> dict[str, int]:
    """Return limits that no one of them exceeds."""
    return {name: max(control.limits[name] for control in controls) for name in LIMITS.values()}
