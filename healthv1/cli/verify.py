"""`healthv1 verify`: every claim, tried on the hosts and from outside."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from healthv1.cli import results
from healthv1.cli.options import DONE, FAILED, as_json, environment, limit, writable
from healthv1.commands import verify as work
from healthv1.output import terminal
from healthv1.workspace import atomic_files


@click.command()
@environment
@limit
@as_json
@click.option("--all", "everything", is_flag=True, help="Also list the claims that hold.")
@click.option("--junit", type=writable, metavar="FILE", help="Also write the findings to FILE, as JUnit XML.")
def verify(environment: str, limit: tuple[str, ...], as_json: bool, everything: bool, junit: Path | None) -> None:
    """Try every claim, on the hosts and from outside. Exit 0: all hold; 1: one does not."""
    report = work.verify(environment, limit)
    if junit:
        atomic_files.write(junit, report.as_junit(), mode=0o644)
    if as_json:
        terminal.show_document(report.as_json())
    else:
        results.show_report(report, everything)
    sys.exit(DONE if report.holds else FAILED)
