"""Applies a plan: stage by stage, in each batch by batch. A batch has to pass its gate before the next begins.

The hosts of a batch take each operation together. Where one fails, the batch stops at that operation: what comes after
may rest on it, as an API does on the migration of its database.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, takewhile
from operator import itemgetter
from typing import TypeVar

from deploys.operations.claims import Claim, claims_on
from deploys.rollout import Rollout
from healthv1.errors import Refused
from healthv1.hosts import operations as prepared
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.session import Session
from healthv1.plan import Plan, Step
from healthv1.plan.outcome import HostStanding, Outcome
from healthv1.rollout import gate
from healthv1.rollout.execution import ChangesMade, execute, watch_operations
from healthv1.rollout.observers import Ledger, NoLedger, Observer
from healthv1.rollout.planner import label, operations_by_stage

T = TypeVar("T")
Unproven = Collection[tuple[str, str, str]]
"""Host, stage and component that an earlier apply may have changed, and that passed no gate."""


def _never() -> bool:
    return False


def apply(
    session: Session,
    plan: Plan,
    report: Observer,
    ledger: Ledger = NoLedger(),  # noqa: B008 - a value
    stopping: Callable[[], bool] = _never,
    unproven: Unproven = (),
) -> Outcome:
    """Apply `plan`, which the session has just made. Stop before the next operation once `stopping` returns true.

    + unproven: components that have to pass the gates although this plan may not change them any more.
    """
    run = _Run(session, plan, report, ledger, stopping, unproven)
    try:
        run.go()
    except Refused as refusal:  # the ledger cannot be written
        session.faults.setdefault("", []).extend(refusal.faults)
    except KeyboardInterrupt:  # the second signal: the running operation is not waited for
        return run.outcome(interrupted=True)
    return run.outcome(interrupted=stopping())


def batches(hosts: Sequence[T], busy: Collection[T], settings: Rollout) -> list[list[T]]:
    """Return the batches in order: the canaries, the other hosts with changes, and the hosts without."""
    changing = [host for host in hosts if host in busy]
    others = changing[settings.canary :]
    groups = [changing[: settings.canary]]
    groups += [others[start : start + settings.at_once] for start in range(0, len(others), settings.at_once)]
    groups.append([host for host in hosts if host not in busy])
    return [batch for batch in groups if batch]


@dataclass
class _HostCourse:
    """The progress of one host."""

    proven: list[str] = field(default_factory=list)
    stage: str = ""
    ran: int = 0
    of: int = 0


class _Run:
    def __init__(
        self,
        session: Session,
        plan: Plan,
        report: Observer,
        ledger: Ledger,
        stopping: Callable[[], bool],
        unproven: Unproven,
    ) -> None:
        self._session, self._report, self._ledger, self._stopping = session, report, ledger, stopping
        self._hosts = session.hosts
        self._stages = {
            stage: [operation for _, operation in pairs]
            for stage, pairs in groupby(operations_by_stage(session), itemgetter(0))
        }
        self._order = [operation for operations in self._stages.values() for operation in operations]
        self._planned = {(step.host, step.component, step.operation) for step in plan.steps}
        self._due = {(step.host, step.stage) for step in plan.steps} | {(host, stage) for host, stage, _ in unproven}
        self._changed = {(host, stage, component) for host, stage, component in unproven}
        self._settings = (
            next((rollout for host in self._hosts if (rollout := host.data.get("rollout"))), None) or Rollout()
        )
        self._course = {host: _HostCourse() for host in self._hosts}
        self._made: ChangesMade = watch_operations(session, plan)

    @property
    def _halted(self) -> bool:
        return bool(self._session.faults) or self._stopping()

    def go(self) -> None:
        prepared.start_execution(self._session)
        for stage, operations in self._stages.items():
            busy = [host for host in self._hosts if (host.name, stage) in self._due]
            self._report.stage_begun(stage, {host.name: len(self._operations_of(host, operations)) for host in busy})
            for batch in batches(self._hosts, busy, self._settings):
                self._batch(stage, operations, batch)
                if self._halted:
                    return
            self._report.stage_ended(stage)

    def _operations_of(self, host: Host, operations: Sequence[str]) -> list[str]:
        return [operation for operation in operations if operation in prepared.operation_hashes(self._session, host)]

    def _batch(self, stage: str, operations: Sequence[str], hosts: Sequence[Host]) -> None:
        for host in hosts:
            course = self._course[host]
            course.stage, course.ran, course.of = stage, 0, len(self._operations_of(host, operations))
        self._ledger.note_begun(stage, [host.name for host in hosts])
        for operation in operations:
            if self._halted:
                return
            self._operation(stage, operation, [host for host in hosts if self._operations_of(host, [operation])])
        if not self._halted:
            self._gate(stage, hosts)

    def _operation(self, stage: str, operation: str, hosts: Sequence[Host]) -> None:
        names = label(self._session, operation)
        for host in hosts:
            self._report.started(host.name, stage, *names)
        execute(self._session, operation, hosts, partial(self._until_next_change, operation))
        for host in self._without_faults(hosts):
            changed = (host, operation) in self._made
            self._course[host].ran += 1
            self._changed |= {(host.name, stage, names[0])} if changed else set()
            self._report.ended(host.name, stage, *names, changed=changed)

    def _until_next_change(self, operation: str, host: Host) -> list[str]:
        """Return the operations from this one to the next with a planned change: all see the same state of the host."""
        later = self._operations_of(host, self._order[self._order.index(operation) :])
        unchanged = list(
            takewhile(lambda candidate: (host.name, *label(self._session, candidate)) not in self._planned, later)
        )
        return later[: len(unchanged) + 1]

    def _without_faults(self, hosts: Sequence[Host]) -> list[Host]:
        whole = self._session.hosts
        return [host for host in hosts if host in whole]

    def _gate(self, stage: str, hosts: Sequence[Host]) -> None:
        due = {host: claims for host in hosts if (claims := list(self._claims_to_try(stage, host)))}
        red = {}
        if due:
            self._report.trying(stage, {host.name: len(claims) for host, claims in due.items()})
            red = gate.failing_claims(self._session, due, self._settings.settle, self._stopping)
        if not self._stopping():  # an interrupted gate may not have had the time to settle
            for host, findings in red.items():
                self._session.fail(host, *(gate.fault(finding) for finding in findings))
        whole = [host for host in self._without_faults(hosts) if host not in red]
        for host in whole:
            self._course[host].proven.append(stage)
        self._ledger.note_proven(stage, [host.name for host in whole])

    def _claims_to_try(self, stage: str, host: Host) -> Iterator[Claim]:
        """Yield the claims due in this stage of components that changed something in it or earlier."""
        stages = list(self._stages)
        until = stages[: stages.index(stage) + 1]
        for claim in (claim for claim in claims_on(host) if claim.gates):
            here = (host.name, stage, claim.deploy) in self._changed
            before = claim.stage == stage and any((host.name, past, claim.deploy) in self._changed for past in until)
            if before or (here and claim.stage in until):
                yield claim

    def outcome(self, *, interrupted: bool) -> Outcome:
        steps, unfinished = [], []
        for stage, operations in self._stages.items():
            for operation in operations:
                for host in (host for host in self._hosts if self._operations_of(host, [operation])):
                    names = label(self._session, operation)
                    if not prepared.succeeded(self._session, host, operation):
                        unfinished.append(f"{host.name}: {', '.join(names)}")
                    elif (host, operation) in self._made:
                        steps.append(Step(host.name, stage, *names, self._made[host, operation]))
        faults = tuple(fault for faults in self._session.faults.values() for fault in faults)
        standings = tuple(self._standing(host) for host in self._hosts)
        stopped = any(standing.state != "done" for standing in standings)
        return Outcome(tuple(steps), faults, tuple(unfinished), standings, interrupted=interrupted and stopped)

    def _standing(self, host: Host) -> HostStanding:
        course = self._course[host]
        due = [stage for stage in self._stages if (host.name, stage) in self._due]
        done = tuple(stage for stage in due if stage in course.proven)
        begun = (course.ran and course.stage in due) or host.name in self._session.faults
        if begun and course.stage not in course.proven:
            return HostStanding(host.name, "stopped", course.stage, course.ran, course.of, done)
        if len(done) < len(due):
            return HostStanding(host.name, "not begun", due[len(done)], 0, 0, done)
        return HostStanding(host.name, "done", done=done)
