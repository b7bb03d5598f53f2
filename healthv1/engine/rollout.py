"""A plan carried out: stage by stage, every step reported, one host's failure never another's."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from pyinfra.api.command import FunctionCommand
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.operation import OperationMeta
from pyinfra.api.operations import run_ops
from pyinfra.api.state import BaseStateCallback, State, StateStage

from deploys.operations.change import Change, listening
from healthv1.engine.planner import label, staged
from healthv1.engine.session import Session, faults_of
from healthv1.errors import Fault
from healthv1.plan import Step

Made = dict[tuple[Host, str], tuple[Change, ...]]


@dataclass(frozen=True)
class Outcome:
    steps: tuple[Step, ...]
    """What was changed, in the plan's own words."""
    faults: tuple[Fault, ...]
    unfinished: tuple[str, ...]
    """Operations that were due and did not run, as "host: component, sentence"."""

    @property
    def changes(self) -> int:
        return sum(len(step.changes) for step in self.steps)


class Report(Protocol):
    """Hears of every operation as it starts and ends."""

    def started(self, host: str, stage: str, component: str, sentence: str) -> None: ...

    def ended(self, host: str, stage: str, component: str, sentence: str, *, changed: bool) -> None: ...


def apply(session: Session, report: Report) -> Outcome:
    """Run every operation of the prepared session. Raises `KeyboardInterrupt` when the user stops it."""
    state = session.state
    made: Made = {}
    for host in session.hosts:
        for operation, data in state.ops[host].items():
            data.command_generator = _watched(session, host, operation, data.command_generator, made)
    state.set_stage(StateStage.Execute)
    state.add_callback_handler(_Reporter(session, report, made))
    with contextlib.suppress(PyinfraError):  # a host failed; the outcome says which and why
        run_ops(state)
    return _outcome(session, made)


def _watched(session: Session, host: Host, operation: str, generator: Any, made: Made) -> Callable[[], Iterator[Any]]:
    """Note what the operation announces, and turn its exception into its own host's failure.

    Without this, an exception inside one host's operation ends the run of all hosts (pyinfra 3.10).
    """

    def commands() -> Iterator[Any]:
        acted = False
        with listening() as heard:
            try:
                session.go_on()
                for command in generator():
                    acted = True
                    if isinstance(command, FunctionCommand):
                        command.function = _explained(session, host, command.function)
                    yield command
            except Exception as error:  # noqa: BLE001 - whatever it is, it fails this host and no other
                yield FunctionCommand(_explained(session, host, _raising(error)), (), {})
        if acted:
            made[host, operation] = tuple(heard) or (Change("operation", label(session, operation)[1], "run"),)

    return commands


def _explained(session: Session, host: Host, function: Callable[..., None]) -> Callable[..., None]:
    """Return the same function, whose exception becomes the host's fault: pyinfra only logs it."""

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


class _Reporter(BaseStateCallback):
    """Passes on what pyinfra tells."""

    # ruff: noqa: ARG002 - the signatures are pyinfra's

    def __init__(self, session: Session, report: Report, made: Made) -> None:
        self._session = session
        self._made = made
        self._report = report
        self._stages = {operation: stage for stage, operation in staged(session)}

    def operation_host_start(self, state: State, host: Host, op_hash: str) -> None:
        self._report.started(host.name, self._stages[op_hash], *label(self._session, op_hash))

    def operation_host_success(self, state: State, host: Host, op_hash: str, retry_count: int = 0) -> None:
        names = label(self._session, op_hash)
        self._report.ended(host.name, self._stages[op_hash], *names, changed=(host, op_hash) in self._made)


def _outcome(session: Session, made: Made) -> Outcome:
    steps, unfinished = [], []
    for stage, operation in staged(session):
        for host, operations in session.state.ops.items():
            if operation not in operations:
                continue
            meta = operations[operation].operation_meta
            names = label(session, operation)
            if not meta.is_complete() or not meta.did_succeed():
                unfinished.append(f"{host.name}: {names[0]}, {names[1]}")
            elif meta.did_change():
                steps.append(Step(host.name, stage, *names, made[host, operation]))
            if meta.is_complete() and not meta.did_succeed() and host.name not in session.faults:
                session.fail(host, _failure(host, names, meta))
    faults = tuple(fault for faults in session.faults.values() for fault in faults)
    return Outcome(tuple(steps), faults, tuple(unfinished))


def _failure(host: Host, names: tuple[str, str], meta: OperationMeta) -> Fault:
    said = "\n".join((meta.stderr_lines or meta.stdout_lines)[-25:]) or "it said nothing (the connection may be lost)"
    return Fault(f"{host.name}: {names[0]}", f'"{names[1]}" failed:\n{said}', "mend the cause and apply again")
