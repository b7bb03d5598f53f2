"""The journals of all hosts and the operator's copy, read, and their lines put together run by run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from deploys.facts.lock import LockRecord
from deploys.paths import FOLDER
from healthv1.errors import Fault, HostError
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.scripts import run_script, ssh_hosts
from healthv1.hosts.session import opened
from healthv1.journal import script
from healthv1.journal.local import OperatorCopy
from healthv1.lock.acquire import run_concurrently
from healthv1.lock.locking import token_digest
from healthv1.lock.place import HostPlace, ask

SCHEMA = 1
OPERATOR = "operator"
TIMEOUT = 120.0  # seconds
RUN_FIELDS = ("command", "by", "job", "revision", "toolkit", "hosts", "lock")
END_FIELDS = ("result", "seconds", "faults")


@dataclass(frozen=True)
class Journals:
    lines: dict[str, list[str]]
    """By host; the operator's copy under `OPERATOR`."""
    locks: frozenset[str]
    """Token digests of the locks whose holder is alive."""
    faults: tuple[Fault, ...] = ()


@dataclass
class Run:
    run: str
    details: dict[str, Any] = field(default_factory=dict)
    started: str = ""
    """UTC; empty for a read-only command."""
    ended: str = ""
    count: int = 0
    changes: list[dict[str, str]] = field(default_factory=list)
    journals: list[str] = field(default_factory=list)
    """The journals that have a line of it."""

    def state(self, locks: Iterable[str]) -> str:
        if self.ended:
            return "ended"
        return "still running" if self.details.get("lock") in set(locks) - {""} else "started, never ended"

    def as_json(self, locks: Iterable[str]) -> dict[str, Any]:
        at = {"state": self.state(locks), "started": self.started, "ended": self.ended}
        return {
            "run": self.run,
            **at,
            **self.details,
            "count": self.count,
            "changes": self.changes,
            "seen": self.journals,
        }


def read_journals(environment: str, last: int | None = None, host: str = "") -> Journals:
    """Return the last lines of each, or all of them; of one host only, when it is named."""
    with opened(environment, (host,) if host else (), read_site=False) as session:
        hosts = ssh_hosts(session.hosts)

        def read_lines(host: Host) -> list[str]:
            try:
                return run_script(host, script.read(FOLDER, environment, last), TIMEOUT).splitlines()
            except HostError as error:
                session.fail(host, *error.faults)
                return []

        read = run_concurrently(hosts, read_lines)
        lines = {host.name: journal for host, journal in read.items() if host.name not in session.faults}
        places = [HostPlace(host) for host in session.hosts]
        held = [answer.held for answer in run_concurrently(places, lambda place: ask(place, "show")).values()]
        faults = tuple(fault for faults in session.faults.values() for fault in faults)
    operator_lines = OperatorCopy(environment).lines()
    return Journals(
        lines if host else {OPERATOR: operator_lines[-last:] if last else operator_lines, **lines},
        _live_locks(held),
        faults,
    )


def _live_locks(held: Iterable[LockRecord | None]) -> frozenset[str]:
    return frozenset(token_digest(record.token) for record in held if record and not record.expired)


def runs(journals: Journals) -> list[Run]:
    """Return the runs, the oldest first. Unreadable lines are skipped: `verify` reports them."""
    runs_by_id: dict[str, Run] = {}
    for where, lines in journals.lines.items():
        for entry in filter(None, map(_entry, lines)):
            run = runs_by_id.setdefault(entry["run"], Run(entry["run"]))
            run.journals += [where] if where not in run.journals else []
            _add(run, entry)
    return sorted(runs_by_id.values(), key=lambda run: run.started or run.ended)


def _add(run: Run, entry: dict[str, Any]) -> None:
    run.details |= {name: entry[name] for name in RUN_FIELDS if name in entry}
    if entry["event"] == "started":
        run.started = entry["at"]
        if run.ended:
            return
    elif not run.ended:
        run.ended, run.changes = entry["at"], []  # the changes made replace the planned ones
        run.details |= {name: entry[name] for name in END_FIELDS if name in entry}
    run.count = entry["count"]
    run.changes += [change for change in entry["changes"] if change not in run.changes]


def _entry(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
        return entry if {"run", "event", "at", "count", "changes"} <= entry.keys() else None
    except (ValueError, AttributeError):
        return None
