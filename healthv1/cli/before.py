"""`healthv1 before …`: parse, call one function, print."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from healthv1.before import entries
from healthv1.before.entries import KeptAside
from healthv1.cli import lock
from healthv1.cli.options import as_json, environment, limit
from healthv1.commands import before as work
from healthv1.lock.holder import Terms
from healthv1.output import terminal


@click.group()
def before() -> None:
    """What the hosts had before us: kept aside when it was replaced or removed."""


@before.command("list")
@environment
@limit
@as_json
def show(environment: str, limit: tuple[str, ...], as_json: bool) -> None:
    """List what is kept aside, the newest first. Exit 0: every host answered; 1: one did not."""
    listing = work.list_(environment, limit)
    if as_json:
        terminal.show_document(listing.as_json())
    else:
        for host, kept in listing.hosts.items():
            for line in entries.lines(host, kept):
                terminal.say(line, bold=not line.startswith(" "))
        terminal.show_faults(listing.faults)
    sys.exit(1 if listing.faults else 0)


@before.command("put-back")
@environment
@click.argument("entry", metavar="ENTRY")
@click.option("--host", default="", metavar="HOST", help="The host that keeps it, where more than one does.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@lock.wait
@lock.reason
def put_back(environment: str, entry: str, host: str, yes: bool, as_json: bool, lock_wait: float, reason: str) -> None:
    """Put back what was kept aside. Exit 0: it lies there again; 1: it does not.

    What lies there now is kept aside first: a put-back can be put back.
    """
    agree = _ask_consent(show=not as_json, ask=not yes)
    result = work.put_back(environment, entry, host, agree, Terms(reason, lock_wait))
    if as_json:
        terminal.show_document(result.as_json())
    elif result.declined:
        terminal.say("Nothing was changed.", bold=True)
    elif not result.done:
        terminal.say(f"Nothing to do: {result.entry.thing} lies on {result.host} as it was kept.", bold=True)
    else:
        terminal.say(f"Put back on {result.host}: {result.entry.thing}.", bold=True)
        terminal.say("The next apply changes it again, unless settings say otherwise: the plan names what it would do.")
        terminal.say_next(f"healthv1 plan {environment}")
    sys.exit(1 if result.declined else 0)


def _ask_consent(*, show: bool, ask: bool) -> Callable[[str, KeptAside], bool]:
    def agreed(host: str, entry: KeptAside) -> bool:
        if show:
            for line in entries.preview(host, entry):
                terminal.say(line)
        return not ask or terminal.consent("before put-back", "Put this back?")

    return agreed
