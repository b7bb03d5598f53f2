"""The `healthv1` command: parse, call one function, print. Exit codes stand in docs/exit-codes.md."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from healthv1 import commands, output, terminal
from healthv1.access.cli import db
from healthv1.errors import Refused
from healthv1.journal.cli import journal
from healthv1.lock import cli as lock
from healthv1.lock.claim import Terms
from healthv1.plan.cli import Form, forms, show
from healthv1.sandbox.cli import sandbox
from healthv1.secrets.cli import secrets

DONE, FAILED, CHANGES = 0, 1, 2

environment = click.argument("environment", metavar="ENV")
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, nothing else there.")
_file = click.Path(dir_okay=False, writable=True, path_type=Path)
limit = click.option("--limit", multiple=True, metavar="HOST", help="Only this host, pattern or group. Repeatable.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show tracebacks and what is sent to the hosts, secrets redacted.")
@click.version_option(package_name="healthv1")
def cli(debug: bool) -> None:
    """Put the Health V1 backend onto your own servers, and keep it there.

    ENV is the name of an inventory in inventories/.
    """
    terminal.set_debug(debug)


@cli.command()
@environment
@limit
@forms
def plan(environment: str, limit: tuple[str, ...], form: Form) -> None:
    """Show what apply would change. Exit 0: nothing; 2: changes; 1: a fault."""
    try:
        made = commands.plan(environment, limit)
    except Refused as refusal:
        form.say_why(environment, refusal)
        raise
    form.show(made)
    terminal.show_faults(made.faults if form.name != "json" else ())
    if not form.name and not made.faults:
        terminal.say_next(f"healthv1 apply {environment}" if made.steps else f"healthv1 verify {environment}")
    sys.exit(FAILED if made.faults else CHANGES if made.steps else DONE)


@cli.command()
@environment
@limit
@as_json
@click.option("--yes", is_flag=True, help="Do not ask.")
@lock.wait
@lock.reason
def apply(environment: str, limit: tuple[str, ...], as_json: bool, yes: bool, lock_wait: float, reason: str) -> None:
    """Make the hosts what the plan says. Exit 0: they are; 1: a fault, or somebody else is deploying."""
    agree = terminal.agreement(show=not as_json, ask=not yes)
    outcome = commands.apply(environment, limit, agree, terms=Terms(reason, lock_wait))
    if as_json:
        _print_json(outcome.as_json())
    else:
        terminal.show_outcome(outcome)
        if not outcome.faults and not outcome.declined:
            terminal.say_next(f"healthv1 verify {environment}")
    sys.exit(FAILED if outcome.faults or outcome.declined else DONE)


@cli.command()
@environment
@limit
@as_json
@click.option("--all", "everything", is_flag=True, help="Also list the claims that hold.")
@click.option("--junit", type=_file, metavar="FILE", help="Also write the findings to FILE, as JUnit XML.")
def verify(environment: str, limit: tuple[str, ...], as_json: bool, everything: bool, junit: Path | None) -> None:
    """Try every claim, on the hosts and from outside. Exit 0: all hold; 1: one does not."""
    report = commands.verify(environment, limit)
    if junit:
        output.write(junit, report.as_junit(), mode=0o644)
    if as_json:
        _print_json(report.as_json())
    else:
        terminal.show_report(report, everything)
    sys.exit(DONE if report.holds else FAILED)


@cli.command()
@environment
@limit
@as_json
def facts(environment: str, limit: tuple[str, ...], as_json: bool) -> None:
    """Show what the hosts are made of and what runs on them."""
    found = commands.facts(environment, limit)
    if as_json:
        _print_json(found)
    else:
        terminal.show_facts(found)
    sys.exit(FAILED if found["faults"] else DONE)


cli.add_command(db)
cli.add_command(journal)
cli.add_command(lock.lock)
cli.add_command(sandbox)
cli.add_command(secrets)
cli.add_command(show)


def _print_json(document: dict[str, Any]) -> None:
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def main() -> None:
    """Run the command. Every fault is one clear error; a traceback needs --debug."""
    sys.exit(terminal.guarded(lambda: cli.main(standalone_mode=False), wants_json="--json" in sys.argv))
