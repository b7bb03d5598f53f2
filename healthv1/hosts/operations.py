"""The operations that hosts were prepared with. pyinfra 3.10 keeps them by host, under a hash that hosts share."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, KeysView
from typing import Any

from pyinfra.api.command import FunctionCommand
from pyinfra.api.host import Host
from pyinfra.api.operations import run_host_op
from pyinfra.api.state import StateStage

from healthv1.hosts.session import Session

Evaluation = Callable[[], Iterator[Any]]
"""pyinfra's generator of an operation's commands. Up to its first command it asks facts, and changes nothing."""


def operation_hashes(session: Session, host: Host) -> KeysView[str]:
    """Return the hashes of one host's operations, in the order of the site."""
    return session.state.ops[host].keys()


def hashes_in_order(session: Session) -> list[str]:
    """Return the hashes of all hosts' operations, in the order in which they run."""
    return list(session.state.get_op_order())


def name(session: Session, operation: str) -> str:
    """Return an operation's name: deploy and sentence, with a bar between them."""
    return min(session.state.op_meta[operation].names)


def will_change(session: Session, host: Host, operation: str) -> bool:
    """Evaluate it for the first time, as far as its first command."""
    return bool(session.state.ops[host][operation].operation_meta.will_change)


def arguments(evaluate: Evaluation) -> dict[str, Any]:
    """Return the operation's keyword arguments.

    They are read from pyinfra's closure, which is complete also for an operation without commands.
    """
    given: dict[str, Any] = inspect.getclosurevars(evaluate).nonlocals["kwargs"]
    return given


def wrap_evaluations(session: Session, host: Host, watched: Callable[[str, Evaluation], Evaluation]) -> None:
    """Replace the generator of each of a host's operations by what `watched` returns: pyinfra runs that."""
    for operation, data in session.state.ops[host].items():
        data.command_generator = watched(operation, data.command_generator)


def start_execution(session: Session) -> None:
    """Set pyinfra's state to execution."""
    session.state.set_stage(StateStage.Execute)
    session.state.is_executing = True


def run(session: Session, host: Host, operation: str) -> None:
    run_host_op(session.state, host, operation)


def succeeded(session: Session, host: Host, operation: str) -> bool:
    """Whether it ran, to its end."""
    meta = session.state.ops[host][operation].operation_meta
    return bool(meta.is_complete() and meta.did_succeed())


def output_lines(session: Session, host: Host, operation: str) -> list[str]:
    """Return the operation's output; empty when it did not run to its end."""
    meta = session.state.ops[host][operation].operation_meta
    return (meta.stderr_lines or meta.stdout_lines) if meta.is_complete() else []


def function_command(function: Callable[[], None]) -> FunctionCommand:
    """Return a pyinfra command that calls `function`."""
    return FunctionCommand(function, (), {})


def wrap_function(command: Any, explained: Callable[[Callable[..., None]], Callable[..., None]]) -> None:
    """Wrap the function of a function command by `explained`."""
    if isinstance(command, FunctionCommand):
        command.function = explained(command.function)
