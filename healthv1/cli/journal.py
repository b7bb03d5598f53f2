"""`healthv1 journal …`: parse, call one function, print."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from healthv1.cli.options import as_json, environment
from healthv1.commands import journal as work
from healthv1.journal.reading import Run
from healthv1.output import terminal
from healthv1.plan import counted

SHOWN = 5  # changes of each run


@click.group()
def journal() -> None:
    """Who did what, when, and how it ended."""


@journal.command()
@environment
@as_json
@click.option("--last", default=20, show_default=True, type=click.IntRange(min=1), metavar="N", help="So many runs.")
@click.option("--host", default="", metavar="HOST", help="What this host's journal tells, and no other's.")
def show(environment: str, as_json: bool, last: int, host: str) -> None:
    """List the runs, the last one at the end. Exit 0; 1: a host's journal could not be read."""
    shown = work.show(environment, last, host)
    if as_json:
        terminal.show_document(shown.as_json())
    else:
        for run, state in shown.runs:
            for line in lines(run, state):
                terminal.say(line, fg={"✗": "red", "…": "yellow"}.get(line[0]))
        terminal.show_faults(shown.faults)
    sys.exit(1 if shown.faults else 0)


@journal.command()
@environment
@as_json
def verify(environment: str, as_json: bool) -> None:
    """Look whether a line was edited, deleted, moved or cut off. Exit 0: all are whole; 1: one is not."""
    verified = work.verify(environment)
    if as_json:
        terminal.show_document(verified.as_json())
    else:
        for where, count in verified.lines.items():
            word = "broken" if any(broken_line.journal == where for broken_line in verified.broken) else "whole"
            click.echo(f"{where}: {counted(count, 'line')}, {word}")
        for broken_line in verified.broken:
            terminal.say(f"✗ {broken_line}", fg="red")
        terminal.show_faults(verified.faults)
    sys.exit(1 if verified.broken or verified.faults else 0)


def lines(run: Run, state: str) -> Iterator[str]:
    """Yield what people read: who, when, what, how it ended and how long it took; below it what was changed."""
    mark = {"ended": " ", "still running": "…"}.get(state, "✗")
    if run.details.get("result", "").startswith(("stopped", "failed")):
        mark = "✗"
    at = (run.started or run.ended)[:19].replace("T", " ")
    result = run.details["result"] if state == "ended" else state
    took = f"  {run.details['seconds']} s" if state == "ended" else ""
    changes = f"  {counted(run.count, 'change')}{'' if state == 'ended' else ' planned'}" if run.count else ""
    yield f"{mark} {at} UTC  {run.details['by']}  {run.details['command']}  {result}{changes}{took}  ({run.run})"
    if run.started:
        for change in run.changes[:SHOWN]:
            host = f"{change['host']}  " if "host" in change else ""
            yield f"      {host}{change['component']}: {change['action']} {change['kind']} {change['target']}"
        more = run.count - min(SHOWN, len(run.changes))
        yield from [f"      … and {more} more"] if more > 0 else []
