"""`healthv1 facts`: what the hosts are made of and what runs on them."""

from __future__ import annotations

import sys

import click

from healthv1.cli import results
from healthv1.cli.options import DONE, FAILED, as_json, environment, limit
from healthv1.commands import facts as work
from healthv1.output import terminal


@click.command()
@environment
@limit
@as_json
def facts(environment: str, limit: tuple[str, ...], as_json: bool) -> None:
    """Show what the hosts are made of and what runs on them."""
    document = work.facts(environment, limit)
    if as_json:
        terminal.show_document(document)
    else:
        results.show_facts(document)
    sys.exit(FAILED if document["faults"] else DONE)
