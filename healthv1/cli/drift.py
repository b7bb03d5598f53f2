"""`healthv1 drift`: what was changed on hosts, told from what was changed in the repository."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from healthv1.cli import results
from healthv1.cli.options import CHANGES, DONE, FAILED, as_json, environment, limit, writable
from healthv1.commands import drift as work
from healthv1.output import terminal
from healthv1.plan import drift as drifts
from healthv1.workspace import atomic_files


@click.command()
@environment
@limit
@as_json
@click.option(
    "--prometheus", type=writable, metavar="FILE", help="Also write FILE for node_exporter's textfile collector."
)
def drift(environment: str, limit: tuple[str, ...], as_json: bool, prometheus: Path | None) -> None:
    """Tell what changed on the hosts from what changed in the repository. Exit 0: nothing; 2: something; 1: a fault."""
    report = work.drift(environment, limit)
    if prometheus:
        atomic_files.write(prometheus, drifts.metrics(report, time.time()), mode=0o644)
    if as_json:
        terminal.show_document(report.as_json())
    else:
        results.show_drift(report)
    sys.exit(FAILED if report.faults else CHANGES if report.drifted else DONE)
