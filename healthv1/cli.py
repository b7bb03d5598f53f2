"""The `healthv1` command: parse, call one function, print. Exit codes stand in docs/exit-codes.md."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from healthv1 import applying, commands, output, terminal
from healthv1 import drift as drifts
from healthv1.access.cli import db
from healthv1.arguments import as_json, environment, limit
from healthv1.before.cli import before
from healthv1.errors import Refused
from healthv1.journal.cli import journal
from healthv1.lock import cli as lock
from healthv1.lock.claim import Terms
from healthv1.plan.cli import Form, forms, show
from healthv1.retire.cli import retire
from healthv1.sandbox.cli import sandbox
from healthv1.saved import saving
from healthv1.secrets.cli import secrets

DONE, FAILED, CHANGES = 0, 1, 2

_file = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show tracebacks and what is sent to the hosts, secrets redacted.")
@click.version_option(package_name="healthv1")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """Put the Health V1 backend onto your own servers, and keep it there.

    ENV is the name of an inventory in inventories/.
    """
    terminal.set_debug(debug)
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@cli.command()
@environment
@limit
@forms
@click.option("--out", type=_file, metavar="FILE", help="Also save the plan: `apply ./FILE` applies it exactly.")
def plan(environment: str, limit: tuple[str, ...], form: Form, out: Path | None) -> None:
    """Show what apply would change. Exit 0: nothing; 2: changes; 1: a fault. A plan with faults is not saved."""
    try:
        made = commands.plan(environment, limit, out)
    except Refused as refusal:
        form.say_why(environment, refusal)
        raise
    form.show(made)
    terminal.show_faults(made.faults if form.name != "json" else ())
    if not form.name and not made.faults:
        applied = f"healthv1 apply {_as_file(out) if out else environment}"
        terminal.say_next(applied if made.steps else f"healthv1 verify {environment}")
    sys.exit(FAILED if made.faults else CHANGES if made.steps else DONE)


@cli.command()
@click.argument("environment", metavar="ENV|./PLANFILE")
@limit
@as_json
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--resume", is_flag=True, help="Go on with the apply that stopped: what is left of it was agreed to.")
@lock.wait
@lock.reason
def apply(
    environment: str, limit: tuple[str, ...], as_json: bool, yes: bool, resume: bool, lock_wait: float, reason: str
) -> None:
    """Make the hosts what the plan says. Exit 0: they are; 1: a fault, or somebody else is deploying.

    What has a slash or a dot in it is the file of a plan that was saved: it is applied exactly, or refused, and nobody
    is asked, for it was agreed to.
    """
    saved = None
    if "/" in environment or "." in environment:
        saved = saving.trusted(Path(environment), limit)
        environment, limit = saved.environment, saved.limit
        applying.refuse_resuming(saved, resume=resume)
    agree = terminal.agreement(show=not as_json, ask=not (yes or saved or resume))
    terms = Terms(reason, lock_wait)
    outcome = applying.apply(environment, limit, agree, saved=saved, terms=terms, resume=resume)
    if as_json:
        terminal.show_document(outcome.as_json())
    else:
        terminal.show_outcome(outcome)
        if outcome.ended_well:
            terminal.say_next(f"healthv1 verify {environment}")
    sys.exit(DONE if outcome.ended_well else terminal.INTERRUPTED if outcome.interrupted else FAILED)


@cli.command()
@environment
@limit
@as_json
@click.option(
    "--prometheus", type=_file, metavar="FILE", help="Also write FILE for node_exporter's textfile collector."
)
def drift(environment: str, limit: tuple[str, ...], as_json: bool, prometheus: Path | None) -> None:
    """Tell what changed on the hosts from what changed in the repository. Exit 0: nothing; 2: something; 1: a fault."""
    found = commands.drift(environment, limit)
    if prometheus:
        output.write(prometheus, drifts.metrics(found, time.time()), mode=0o644)
    if as_json:
        terminal.show_document(found.as_json())
    else:
        terminal.show_drift(found)
    sys.exit(FAILED if found.faults else CHANGES if found.drifted else DONE)


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
        terminal.show_document(report.as_json())
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
        terminal.show_document(found)
    else:
        terminal.show_facts(found)
    sys.exit(FAILED if found["faults"] else DONE)


cli.add_command(before)
cli.add_command(db)
cli.add_command(journal)
cli.add_command(lock.lock)
cli.add_command(retire)
cli.add_command(sandbox)
cli.add_command(secrets)
cli.add_command(show)


def _as_file(path: Path) -> str:
    """Return `path` as `apply` tells it from an environment's name."""
    return str(path) if "/" in str(path) else f"./{path}"


def main() -> None:
    """Run the command. Every fault is one clear error; a traceback needs --debug."""
    sys.exit(
        terminal.guarded(lambda: cli.main(prog_name="healthv1", standalone_mode=False), wants_json="--json" in sys.argv)
    )
