"""Snapshots: digests of each operation's arguments, and of the answers that it got from its host."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from healthv1.errors import Fault, Refused
from healthv1.hosts import operations
from healthv1.hosts.operations import Evaluation
from healthv1.hosts.pyinfra_names import CommandOutput, Host
from healthv1.hosts.session import Session
from healthv1.plan.digests import Digests, Formless, refuse_formless
from healthv1.plan.snapshot import Snapshot, moved_faults
from healthv1.rollout.planner import label

NAMED_BY_ANOTHER = {"archive", "backend"}
"""Arguments that another argument names: a release by its version. A digest of the release would build it."""
HOST_STATE = {"ours", "asked"}
"""Arguments that follow from a host's marks: they describe the host, and not the desired state."""
TARGETS = ("path", "unit", "role", "database", "version", "names", "user", "cluster", "domain")


def take_snapshots(session: Session, digests: Digests) -> tuple[Snapshot, ...]:
    """Return one snapshot per operation and host, in a stable order."""
    snapshots_by_host: dict[str, tuple[Snapshot, ...]] = {}

    def snapshot_host(host: Host) -> None:
        snapshots_by_host[host.name] = tuple(_host_snapshots(session, host, digests))

    session.on_each(snapshot_host)
    return tuple(snapshot for host in session.hosts for snapshot in snapshots_by_host[host.name])


@contextmanager
def hosts_unchanged(session: Session) -> Iterator[None]:
    """Take snapshots before and after this context; raise `Refused` with each that differs."""
    digests = Digests(secrets.token_hex())
    before = take_snapshots(session, digests)
    yield
    Refused.unless(moved_faults(before, take_snapshots(session, digests)))


def refuse_formless_arguments(session: Session) -> None:
    """Raise `Refused`, naming each operation that is given what no digest can be made of. No host is asked."""
    Refused.unless(
        fault
        for host in session.hosts
        for operation, evaluate in session.operations[host].items()
        for fault in _formless(f"{host.name}: {label(session, operation)[0]}", label(session, operation)[1], evaluate)
    )


def _formless(where: str, operation: str, evaluate: Evaluation) -> Iterator[Fault]:
    try:
        refuse_formless(_arguments(evaluate))
    except Formless as error:
        yield Fault(where, f'"{operation}" is given {error.what}, as {".".join(error.path)}.', error.hint)


def _host_snapshots(session: Session, host: Host, digests: Digests) -> Iterator[Snapshot]:
    for operation, evaluate in session.operations[host].items():
        names = label(session, operation)
        arguments = _arguments(evaluate)
        learned = session.answers.get((host, operation), {})
        yield Snapshot(
            host=host.name,
            component=names[0],
            operation=names[1],
            target=_target(arguments) or names[1],
            asked={
                digests.of([question.command, question.privileges]): digests.of([succeeded, _without_clock(output)])
                for question, (succeeded, output) in learned.items()
            },
            desired=digests.of(arguments),
        )


def _without_clock(output: CommandOutput) -> list[str]:
    """Return the output without the host's clock, which changes by itself."""
    return [line for line in output.stdout_lines if not line.startswith("now=")]


def _arguments(evaluate: Evaluation) -> dict[str, Any]:
    given = operations.arguments(evaluate)
    return {name: value for name, value in given.items() if name not in NAMED_BY_ANOTHER | HOST_STATE}


def _target(arguments: dict[str, Any]) -> str:
    target = next((arguments[name] for name in TARGETS if name in arguments), "")
    change = arguments.get("change")
    text = ", ".join(target) if isinstance(target, tuple) else target
    return str(text or getattr(change, "target", ""))
