"""`healthv1 lock …`, and the options of the commands that take the lock."""

from __future__ import annotations

import sys

import click

from deploys.facts.lock import LockRecord
from healthv1.cli.options import as_json, environment
from healthv1.commands import lock as work
from healthv1.errors import Fault, LockError
from healthv1.lock.holder import describe
from healthv1.output import terminal

wait = click.option(
    "--lock-wait",
    type=click.FloatRange(min=0),
    default=0,
    metavar="SECONDS",
    help="Wait so long for whoever deploys now. Without: be refused at once.",
)
reason = click.option("--reason", default="", metavar="TEXT", help="What others read who find it locked.")


@click.group()
def lock() -> None:
    """One deploy at a time per environment: who is deploying."""


@lock.command()
@environment
@as_json
def show(environment: str, as_json: bool) -> None:
    """Say of each host who holds its lock. Exit 0: every host answered, be it free or held; 1: one did not."""
    shown = work.show(environment)
    if as_json:
        terminal.show_document(shown.as_json())
    else:
        for name, held in shown.hosts.items():
            terminal.say(work.line(name, held))
        terminal.show_faults(shown.faults)
    sys.exit(1 if shown.faults else 0)


@lock.command()
@environment
@click.option("--force-holder", metavar="NAME", help="Release what NAME (user@machine) holds, and nobody else's.")
@as_json
def release(environment: str, force_holder: str | None, as_json: bool) -> None:
    """Take the lock from its holder. A run that is still alive stops before its next operation."""
    released = work.release(
        environment, _confirm_release if force_holder is None else lambda held: held.holder == force_holder
    )
    if as_json:
        terminal.show_document(released.as_json())
    else:
        for name, held in released.hosts.items():
            terminal.say(f"{name}: {f'released, it was held by {describe(held)}' if held else 'it was free'}")
        terminal.show_faults(released.faults)
    sys.exit(1 if released.faults else 0)


def _confirm_release(held: LockRecord) -> bool:
    if not sys.stdin.isatty():
        raise LockError(Fault("lock", "There is nobody to ask.", f"give --force-holder {held.holder}"))
    terminal.say(f"LockRecord by {describe(held)}. What runs there stops before its next operation.", err=True)
    return str(click.prompt(f"Type {held.holder} to release it", err=True)) == held.holder
