"""`healthv1 journal …`: parse, call one function, print."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from healthv1 import terminal
from healthv1.arguments import as_json, environment
from healthv1.journal import reading, verifying
from healthv1.journal.reading import Run
from healthv1.plan import counted

SHOWN = 5  # changes of each run
LINES = 4  # of a journal, for each run that is asked for: two are its own, and others' may stand between


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
    found = reading.journals(environment, last * LINES, host)
    runs = reading.runs(found)[-last:]
    if as_json:
        told = [run.as_json(found.locks) for run in runs]
        _print({"environment": environment, "runs": told, "faults": [asdict(fault) for fault in found.faults]})
    else:
        for run in runs:
            for line in lines(run, run.state(found.locks)):
                terminal.say(line, fg={"✗": "red", "…": "yellow"}.get(line[0]))
        terminal.show_faults(found.faults)
    sys.exit(1 if found.faults else 0)


@journal.command()
@environment
@as_json
def verify(environment: str, as_json: bool) -> None:
    """Look whether a line was edited, deleted, moved or cut off. Exit 0: all are whole; 1: one is not."""
    found = reading.journals(environment)
    broken = verifying.broken(found)
    counts = {where: len(lines) for where, lines in found.lines.items()}
    if as_json:
        told = [asdict(one) for one in broken]
        faults = [asdict(fault) for fault in found.faults]
        _print({"environment": environment, "lines": counts, "broken": told, "faults": faults})
    else:
        for where, count in counts.items():
            word = "broken" if any(one.journal == where for one in broken) else "whole"
            click.echo(f"{where}: {counted(count, 'line')}, {word}")
        for one in broken:
            terminal.say(f"✗ {one}", fg="red")
        terminal.show_faults(found.faults)
    sys.exit(1 if broken or found.faults else 0)


def lines(run: Run, state: str) -> Iterator[str]:
    """Yield what people read: who, when, what, how it ended and how long it took; below it what was changed."""
    mark = {"ended": " ", "still running": "…"}.get(state, "✗")
    if run.told.get("result", "").startswith(("stopped", "failed")):
        mark = "✗"
    at = (run.started or run.ended)[:19].replace("T", " ")
    result = run.told["result"] if state == "ended" else state
    took = f"  {run.told['seconds']} s" if state == "ended" else ""
    changes = f"  {counted(run.count, 'change')}{'' if state == 'ended' else ' planned'}" if run.count else ""
    yield f"{mark} {at} UTC  {run.told['by']}  {run.told['command']}  {result}{changes}{took}  ({run.run})"
    if run.started:
        for change in run.changes[:SHOWN]:
            host = f"{change['host']}  " if "host" in change else ""
            yield f"      {host}{change['component']}: {change['action']} {change['kind']} {change['target']}"
        more = run.count - min(SHOWN, len(run.changes))
        yield from [f"      … and {more} more"] if more > 0 else []


def _print(document: dict[str, Any]) -> None:
    terminal.show_document({"schema": reading.SCHEMA, **document})
