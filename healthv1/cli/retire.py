"""`healthv1 retire …`: parse, call one function, print."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from deploys.this_host import PARTS
from healthv1.cli import lock, results
from healthv1.cli.options import as_json, environment
from healthv1.commands import retire as work
from healthv1.commands.retire import Retired, Wish
from healthv1.lock.holder import Terms
from healthv1.output import terminal
from healthv1.plan import Plan, counted
from healthv1.plan.members import Member

STAYS = "Data stays where it is: the database, what Redis wrote down, and the folders below the home."
_file = click.Path(exists=True, dir_okay=False)


@click.command()
@environment
@click.argument("host", metavar="HOST")
@as_json
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(PARTS[:4]),
    help="Of a host that stays: only what it had for a part that it no longer plays. Repeatable.",
)
@click.option("--with-data", default="", metavar="HOST", help="Destroy its data as well. HOST is its name, once more.")
@click.option("--forget", is_flag=True, help="It is gone for good: ask nothing of it, and have the others forget it.")
@click.option("--ssh-key", type=_file, metavar="FILE", help="The key that opens it, if not the others'.")
@click.option("--known-hosts", type=_file, metavar="FILE", help="Who knows its key, if not the others'.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@lock.wait
@lock.reason
def retire(
    environment: str,
    host: str,
    as_json: bool,
    parts: tuple[str, ...],
    with_data: str,
    forget: bool,
    ssh_key: str | None,
    known_hosts: str | None,
    yes: bool,
    lock_wait: float,
    reason: str,
) -> None:
    """Take down a host that left the inventory: its services, secrets and certificates. Exit 0: it is; 1: it is not.

    HOST is its name, or its address. Its data stays.
    """
    wish = Wish(host, tuple(dict.fromkeys(parts)), with_data, ssh_key or "", known_hosts or "")
    terms = Terms(reason, lock_wait)
    if forget:
        if with_data or parts:
            raise click.UsageError("--forget asks nothing of the host: leave --part and --with-data out.")
        retired = work.forget(environment, wish, _ask_to_forget(ask=not yes), terms)
    else:
        retired = work.retire(environment, wish, _ask_consent(wish, show=not as_json, ask=not yes), terms)
    if as_json:
        terminal.show_document(retired.as_json())
    else:
        show(retired, environment)
    sys.exit(0 if retired.ended_well else terminal.INTERRUPTED if retired.interrupted else 1)


def show(retired: Retired, environment: str) -> None:
    terminal.show_faults(retired.faults)
    name = f"{retired.host} ({retired.address})"
    changes = counted(retired.changes, "change")
    if retired.declined:
        terminal.say("Nothing was changed.", bold=True)
    elif not retired.ended_well:
        terminal.say(f"{changes} made on {name}, then it stopped. The same command goes on from here.", bold=True)
    elif retired.changes or retired.forgotten_by:
        terminal.say(f"{changes} made on {name}." if retired.changes else f"Nothing is left on {name}.", bold=True)
        terminal.say(f"Noted by {', '.join(retired.forgotten_by) or 'nobody'}: it is no longer told of.")
        terminal.say_next(f"healthv1 plan {environment}")
    else:
        terminal.say(f"Nothing to do: {name} was retired already.", bold=True)


def _ask_consent(wish: Wish, *, show: bool, ask: bool) -> Callable[[Plan], bool]:
    def agreed(plan: Plan) -> bool:
        if show:
            results.show_plan(plan)
            terminal.say("" if wish.with_data else STAYS)
        return not ask or terminal.consent("retire", "Take this down?")

    return agreed


def _ask_to_forget(*, ask: bool) -> Callable[[Member], bool]:
    def agreed(member: Member) -> bool:
        terminal.say(f"{member.name} ({member.address}) is not asked: what it still has goes on serving.", err=True)
        return not ask or terminal.consent("retire --forget", "Have the others forget it?")

    return agreed
