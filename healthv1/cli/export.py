"""`healthv1 export`: parse, call one function, print."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from healthv1.cli.options import as_json, environment
from healthv1.commands import export as work
from healthv1.output import terminal
from healthv1.output.meter import amount
from healthv1.plan import counted


@click.command()
@environment
@click.option(
    "--to", "recipients", multiple=True, required=True, metavar="KEY", help="A public age or SSH key. Repeatable."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The file to write. It must be a new one.")
@as_json
def export(environment: str, recipients: tuple[str, ...], out: Path, as_json: bool) -> None:
    """Write a copy of the database that any PostgreSQL can restore. Exit 0: it is whole; 1: there is none.

    It is encrypted on the database's host: only the holders of these keys can open it. docs/export.md says how it is
    restored. The master key is not in it: healthv1 secrets export.
    """
    exported = work.export(environment, recipients, out)
    if as_json:
        terminal.show_document(exported.as_json())
        return
    rows = sum(exported.tables.values())
    content = f"{counted(len(exported.tables), 'table')} with {counted(rows, 'row')}, {amount(exported.size)}"
    whom = counted(len(exported.recipients), "recipient")
    terminal.say(f"{out} holds {exported.database} of {exported.host}: {content}, for {whom}.", bold=True)
    terminal.say(f"sha256 {exported.sha256}")
    terminal.say_next(f"age -d -i PRIVATE_KEY {shlex.quote(str(out))} | pg_restore --list")
