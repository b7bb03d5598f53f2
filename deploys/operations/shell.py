"""The way out for what has no operation of its own: a command with a test that says when it is needed."""

from __future__ import annotations

from dataclasses import replace

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.component import Text
from deploys.facts.probe import Prints, Succeeds
from deploys.operations.change import Change, Commands
from deploys.operations.forecast import forecast


@operation()
def ensure(
    change: Change,
    test: str,
    command: str,
    after: tuple[str, ...] = (),
    settled_by: tuple[str, ...] = (),
    stdin: Text = str,
    was: str = "",
) -> Commands:
    """Run `command` unless `test` succeeds, and fail unless `test` succeeds afterwards.

    + change: what a plan says of it.
    + test: a shell command without side effects, that also answers before anything is installed.
    + after: targets of earlier changes that make it necessary even while `test` still succeeds.
    + settled_by: targets of earlier changes that bring it about.
    + stdin: what the command reads, asked for only once it is due: it may be a secret.
    + was: a shell command that prints in a few words what is there before, for the plan.
    """
    plan = forecast()
    needed = not host.get_fact(Succeeds, test=test) or plan.planned(*after)
    changes_needed = [replace(change, was=host.get_fact(Prints, command=was)) if was else change] if needed else []
    changes = (
        [] if plan.pending(*settled_by) else plan.reconcile(f"{change.kind} {change.target}: {test}", changes_needed)
    )
    if not changes:
        host.noop(f"{change.target} is as it should be")
        return
    plan.announce(changes[0])
    script = f'set -eu\n{command}\nsh -c "$1" >/dev/null 2>&1 || {{ echo "it ran, yet is not true: $1" >&2; exit 1; }}'
    yield StringCommand("sh", "-c", QuoteString(script), "ensure", QuoteString(test), _stdin=stdin())
