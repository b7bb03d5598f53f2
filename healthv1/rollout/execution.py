"""Runs one operation on some hosts: records its changes, refuses unplanned ones, and keeps a failure to its host."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import gevent

from deploys.operations.change import Change
from deploys.operations.forecast import forecast_of
from healthv1.errors import Fault, Refused
from healthv1.hosts import operations
from healthv1.hosts.operations import Evaluation
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.session import Session, faults_of
from healthv1.plan import Plan
from healthv1.rollout.planner import label, prefetch_after_write

ChangesMade = dict[tuple[Host, str], tuple[Change, ...]]


def watch_operations(session: Session, plan: Plan) -> ChangesMade:
    """Wrap every prepared operation: its changes are recorded, and a change that is not planned is refused."""
    changes_made: ChangesMade = {}
    planned = {(step.host, step.component, step.operation): step.changes for step in plan.steps}
    for host in session.hosts:

        def watched(operation: str, evaluate: Evaluation, host: Host = host) -> Evaluation:
            changes = planned.get((host.name, *label(session, operation)), ())
            return _watched(session, host, operation, evaluate, changes, changes_made)

        operations.wrap_evaluations(session, host, watched)
    return changes_made


def execute(
    session: Session, operation: str, hosts: Sequence[Host], next_operations: Callable[[Host], Sequence[str]]
) -> None:
    """Run the operation on `hosts` at once, and wait for all of them. A host on which it fails has a fault then.

    + next_operations: returns this operation and those up to the next planned change; their facts are asked at once.
    """
    greenlets = [gevent.spawn(_run, session, host, operation, next_operations) for host in hosts]
    try:
        gevent.joinall(greenlets, raise_error=True)
    except BaseException:
        gevent.killall(greenlets, block=False)
        raise
    for host in hosts:
        if not operations.succeeded(session, host, operation):
            session.fail(host, *([] if host.name in session.faults else [_failure(session, host, operation)]))


def _run(session: Session, host: Host, operation: str, next_operations: Callable[[Host], Sequence[str]]) -> None:
    with session.on(host):
        try:
            prefetch_after_write(session, host, next_operations)
            operations.run(session, host, operation)
        except Exception as error:  # noqa: BLE001 - whatever it is, it fails this host and no other
            session.faults.setdefault(host.name, []).extend(faults_of(host, error))


def _watched(
    session: Session,
    host: Host,
    operation: str,
    evaluate: Evaluation,
    planned: tuple[Change, ...],
    changes_made: ChangesMade,
) -> Evaluation:
    """Record the changes that the operation announces, and turn its exception into a failure of its host.

    An unplanned change is not made: the operation fails before the command that would make it.

    Without this, an exception inside one host's operation ends the run of all hosts (pyinfra 3.10).
    """

    def commands() -> Iterator[Any]:
        acted = False
        with forecast_of(host).collecting() as announced:
            try:
                session.check_lock()
                for command in evaluate():
                    _refuse_unplanned(host, label(session, operation), planned, announced)
                    acted = True
                    operations.wrap_function(command, partial(_recording_fault, session, host))
                    yield command
            except Exception as error:  # noqa: BLE001 - whatever it is, it fails this host and no other
                yield operations.function_command(_recording_fault(session, host, _raising(error)))
        if acted:
            changes_made[host, operation] = tuple(announced) or (
                Change("operation", label(session, operation)[1], "run"),
            )

    return commands


def _refuse_unplanned(
    host: Host, names: tuple[str, str], planned: Sequence[Change], announced: Sequence[Change]
) -> None:
    """Raise `Refused` when an operation that is about to act announces more than the plan did."""
    extra = [change for change in announced if _change_key(change) not in map(_change_key, planned)]
    if planned and not extra:
        return
    unplanned = ", ".join(f"{change.action} {change.kind} {change.target}" for change in extra) or names[1]
    what = f"{unplanned}: it is due by now, and no plan named it. It was not done."
    raise Refused(Fault(f"{host.name}: {names[0]}", what, "look at a new plan: healthv1 plan ENV"))


def _change_key(change: Change) -> tuple[str, str, str]:
    return change.kind, change.target, change.action


def _recording_fault(session: Session, host: Host, function: Callable[..., None]) -> Callable[..., None]:
    """Return the function, with its exception added to the host's faults: pyinfra only logs it."""

    def call(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
        except Exception as error:
            session.faults.setdefault(host.name, []).extend(faults_of(host, error))
            raise

    return call


def _raising(error: Exception) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


def _failure(session: Session, host: Host, operation: str) -> Fault:
    component, sentence = label(session, operation)
    lines = operations.output_lines(session, host, operation)[-25:]
    output = "\n".join(lines) or "it said nothing (the connection may be lost)"
    return Fault(
        f"{host.name}: {component}", f'"{sentence}" failed:\n{output}', "mend the cause, then: healthv1 apply ENV"
    )
