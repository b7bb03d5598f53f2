"""Makes a plan: every operation announces its changes before any of them runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from functools import partial
from typing import Any

from deploys.facts.lock import Lock
from deploys.operations.barrier import STAGE
from deploys.operations.change import Change
from deploys.operations.forecast import forecast_of
from deploys.operations.warnings import warnings_on
from healthv1.errors import Fault, Refused
from healthv1.hosts import operations
from healthv1.hosts.connector import FastSSH, Unanswered
from healthv1.hosts.operations import Evaluation
from healthv1.hosts.pyinfra_names import FactBase, Host
from healthv1.hosts.session import Session
from healthv1.plan import Plan, Step
from healthv1.workspace import provenance

ExtraFacts = tuple[type[FactBase[Any]], ...]


def plan(session: Session, besides: ExtraFacts = (Lock,)) -> Plan:
    """Return what an apply would change on the session's hosts. A host with a fault has no steps.

    + besides: further facts to ask in the same round trip; by default the lock.
    """
    announced: dict[tuple[Host, str], tuple[Change, ...]] = {}

    def ask(host: Host) -> None:
        prefetch(
            host,
            [*(partial(_fact_evaluation, host, fact) for fact in besides), *session.operations.get(host, {}).values()],
        )
        refusals: list[Fault] = []
        for operation in operations.operation_hashes(session, host):
            try:
                with forecast_of(host).collecting() as changes, _recording_answers(session, host, operation):
                    will_change = operations.will_change(session, host, operation)
            except Refused as refusal:  # go on: further refusals are reported too
                refusals.extend(refusal.faults)
                continue
            if will_change:
                announced[host, operation] = tuple(changes) or (
                    Change("operation", label(session, operation)[1], "run"),
                )
        Refused.unless(_unique_refusals(host, refusals))

    session.on_each(ask)
    hosts = session.hosts
    return Plan(
        environment=session.environment,
        hosts=tuple(host.name for host in hosts),
        considered=sum(len(operations.operation_hashes(session, host)) for host in hosts),
        steps=tuple(
            Step(host.name, stage, *label(session, operation), announced[host, operation])
            for host in hosts
            for stage, operation in operations_by_stage(session)
            if (host, operation) in announced
        ),
        faults=tuple(dict.fromkeys(fault for faults in session.faults.values() for fault in faults)),
        made=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        revision=provenance.revision(),
        toolkit=provenance.toolkit(),
        warnings=tuple(dict.fromkeys(warning for host in hosts for warning in warnings_on(host))),
    )


def _unique_refusals(host: Host, refusals: Iterable[Fault]) -> list[Fault]:
    """Return the refusals. Of several about one thing, such as a taken port, only the first."""
    first_by_place: dict[str, Fault] = {}
    for fault in refusals:
        first_by_place.setdefault(fault.where if fault.where.startswith(f"{host.name}: ") else str(fault), fault)
    return list(first_by_place.values())


def refresh_facts(session: Session, *, anew: bool) -> None:
    """Ask the facts of all operations on every host. No plan is made, and no operation runs.

    + anew: clear the cache first: somebody else may have changed the host.
    """

    def ask(host: Host) -> None:
        if anew and isinstance(host.connector, FastSSH):
            host.connector.forget()
        prefetch(host, session.operations[host].values())
        for operation, evaluate in session.operations[host].items():
            with _recording_answers(session, host, operation), forecast_of(host).asking(), suppress(Exception):
                next(evaluate(), None)

    session.on_each(ask)


@contextmanager
def _recording_answers(session: Session, host: Host, operation: str) -> Iterator[None]:
    if not isinstance(host.connector, FastSSH):
        yield
        return
    with host.connector.collecting_answers() as learned:
        yield
    session.answers[host, operation] = learned


def prefetch_after_write(session: Session, host: Host, next_operations: Callable[[Host], Iterable[str]]) -> None:
    """After a write cleared the cache, ask the facts of the next operations in one batch."""
    if isinstance(host.connector, FastSSH) and host.connector.cache_is_empty:
        prefetch(host, [session.operations[host][operation] for operation in next_operations(host)])


def prefetch(host: Host, evaluations: Iterable[Evaluation]) -> None:
    """Ask every fact of the evaluations, in a few round trips.

    Each round evaluates each up to its first fact that is not cached, then asks for all of these facts at once.
    """
    if not isinstance(host.connector, FastSSH):
        return
    waiting = list(evaluations)
    while waiting:
        with host.connector.gathering_questions() as questions:
            waiting = [evaluate for evaluate in waiting if not _is_evaluated(host, evaluate)]
        host.connector.ask(questions)


def _fact_evaluation(host: Host, fact: type[FactBase[Any]]) -> Iterator[Any]:
    yield host.get_fact(fact)


def _is_evaluated(host: Host, evaluate: Evaluation) -> bool:
    try:
        with forecast_of(host).asking():
            next(evaluate(), None)
    except Unanswered:
        return False
    except Exception:  # noqa: BLE001, S110 - the same comes again, and is reported, when the plan is made
        pass
    return True


def operations_by_stage(session: Session) -> list[tuple[str, str]]:
    """Return the stage and hash of each operation of whole hosts, in the order in which they run.

    A host with a fault may have stopped short of a stage's end.
    """
    prepared = {operation for host in session.hosts for operation in operations.operation_hashes(session, host)}
    order = [operation for operation in operations.hashes_in_order(session) if operation in prepared]
    return list(zip(_stages(session, order), order, strict=True))


def _stages(session: Session, order: list[str]) -> list[str]:
    ends = {i: name[len(STAGE) + 1 :] for i, o in enumerate(order) if (name := label(session, o)[1]).startswith(STAGE)}
    return [next(stage for end, stage in ends.items() if end >= i) for i in range(len(order))]


def label(session: Session, operation: str) -> tuple[str, str]:
    """Return the component and the sentence of an operation."""
    component, _, sentence = operations.name(session, operation).rpartition(" | ")
    return component, sentence
