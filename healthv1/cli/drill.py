"""`healthv1 drill …`: parse, call one function, print."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from pathlib import Path

import click

from healthv1.cli.options import as_json, environment, limit, writable
from healthv1.commands import drill as work
from healthv1.drill import html, text
from healthv1.drill.evidence import PASSED
from healthv1.output import terminal
from healthv1.workspace import atomic_files

FAILED, NOT_PROVEN, NOT_TRIED, NOT_OPENED = 1, 3, 4, 5
"""Exit codes of `drill now`: docs/exit-codes.md."""
CODES = {PASSED: 0, "not tried": NOT_TRIED, "escrow does not open": NOT_OPENED}
readable_file = click.Path(dir_okay=False, exists=True, path_type=Path)


@click.group()
def drill() -> None:
    """Restore drills: what was restored, what was proven, and how long it took."""


@drill.command()
@environment
@limit
@as_json
@click.option("--last", default=5, show_default=True, type=click.IntRange(min=1), metavar="N", help="So many drills.")
@click.option("--html", "page", type=writable, metavar="FILE", help="Also write all drills to FILE, as one page.")
def show(environment: str, limit: tuple[str, ...], as_json: bool, last: int, page: Path | None) -> None:
    """Show the drills, verified. Exit 0: all are signed and chained; 1: one is not to be believed, or a fault."""
    shown = work.show(environment, limit)
    if page:
        made = datetime.now(timezone.utc).isoformat(sep=" ", timespec="seconds")
        atomic_files.write(page, html.document(environment, shown.hosts, made))
    if as_json:
        terminal.show_document(shown.as_json(last))
    else:
        for host in shown.hosts:
            for line in text.lines(host, last):
                _say(line)
        terminal.show_faults(shown.faults)
    sys.exit(0 if shown.believed else FAILED)


@drill.command()
@environment
@limit
@as_json
@click.option("--escrow", type=readable_file, metavar="FILE", help="Use what this escrow file holds, and no more.")
@click.option(
    "--identity",
    type=readable_file,
    metavar="KEY",
    help="The private key that opens FILE, and the newest export where it can.",
)
def now(environment: str, limit: tuple[str, ...], as_json: bool, escrow: Path | None, identity: Path | None) -> None:
    """Run a drill, and show what it found. It goes on when the connection breaks.

    Exit 0: it passed; 3: the restored copy is not proven; 4: there is no room to try; 5: the escrow file does not
    open the backups or the data in them; 1: a fault.
    """
    if bool(escrow) != bool(identity):
        raise click.UsageError("--escrow and --identity belong together.")
    ran = work.now(environment, limit, escrow, identity)
    if as_json:
        terminal.show_document(ran.as_json())
    else:
        for each in ran.drills:
            for line in text.detail_lines(each.drill):
                _say(line)
            if each.opening:
                _say(f"{'✓' if each.opening.holds else '✗'} {each.opening.what}")
            for fault in each.evidence.faults:
                _say(f"✗ {fault}")
        terminal.show_faults(ran.faults)
    sys.exit(exit_code(ran))


def exit_code(ran: work.RanDrills) -> int:
    """Return the exit code; of several hosts, the worst one's."""
    if ran.faults or not all(drill.evidence.believed for drill in ran.drills):
        return FAILED
    codes = {CODES.get(drill.result, NOT_PROVEN) for drill in ran.drills}
    return next((code for code in (NOT_PROVEN, NOT_OPENED, NOT_TRIED) if code in codes), 0)


def _say(line: str) -> None:
    terminal.say(line, fg={"✓": "green", "✗": "red"}.get(line[:1]))
