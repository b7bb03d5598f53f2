"""`healthv1 maintenance …`: parse, call one function, print."""

from __future__ import annotations

import click

from deploys.facts.maintenance import MaintenanceRecord
from healthv1.cli import lock
from healthv1.cli.options import as_json, environment, limit
from healthv1.commands import maintenance as work
from healthv1.commands.maintenance import SwitchedSite
from healthv1.lock.holder import Terms
from healthv1.output import terminal


@click.group()
def maintenance() -> None:
    """Keep visitors out of the website for a while: every request is answered 503, with your message."""


@maintenance.command()
@environment
@click.option("--message", default="", metavar="TEXT", help="What visitors read: one line, at most 500 characters.")
@click.option(
    "--until",
    default="",
    metavar="TIME",
    help="When it ends by itself, in UTC: 90m, 22:30 or 2026-03-02T22:30. Without: after an hour.",
)
@limit
@as_json
@lock.wait
@lock.reason
def on(
    environment: str, message: str, until: str, limit: tuple[str, ...], as_json: bool, lock_wait: float, reason: str
) -> None:
    """Close the website, or change the message and the end. Exit 0: it is closed; 1: it is as it was before."""
    switched = work.on(environment, message, until, limit, Terms(reason, lock_wait))
    _show(switched, as_json)
    if not as_json:
        terminal.say_next(f"healthv1 maintenance off {environment}")


@maintenance.command()
@environment
@limit
@as_json
@lock.wait
@lock.reason
def off(environment: str, limit: tuple[str, ...], as_json: bool, lock_wait: float, reason: str) -> None:
    """Let visitors in again. Exit 0: they are let in; 1: it is as it was before."""
    _show(work.off(environment, limit, Terms(reason, lock_wait)), as_json)


def _show(switched: SwitchedSite, as_json: bool) -> None:
    if as_json:
        terminal.show_document(switched.as_json())
        return
    for host, before in switched.before.items():
        terminal.say(f"{host}: {_described(switched.now)}. Before: {_described(before)}.")
    if not switched.changed:
        terminal.say("Nothing to do: it was so already.", bold=True)


def _described(record: MaintenanceRecord | None) -> str:
    if record is None:
        return "no maintenance, visitors are let in"
    return f'maintenance until {record.ends}, by {record.by or "somebody"}: "{record.message}"'
