"""The `healthv1` command: each file here parses one command, calls one function, and shows its result."""

from __future__ import annotations

import sys

import click

from healthv1.cli.apply import apply
from healthv1.cli.backup import backup
from healthv1.cli.before import before
from healthv1.cli.db import db
from healthv1.cli.drift import drift
from healthv1.cli.drill import drill
from healthv1.cli.export import export
from healthv1.cli.facts import facts
from healthv1.cli.journal import journal
from healthv1.cli.lock import lock
from healthv1.cli.maintenance import maintenance
from healthv1.cli.plan import plan
from healthv1.cli.restore import restore
from healthv1.cli.retire import retire
from healthv1.cli.sandbox import sandbox
from healthv1.cli.secrets import secrets
from healthv1.cli.show import show
from healthv1.cli.verify import verify
from healthv1.output import terminal


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


for command in (
    *(apply, backup, before, db, drift, drill, export, facts, journal, lock, maintenance),
    *(plan, restore, retire, sandbox, secrets, show, verify),
):
    cli.add_command(command)


def main() -> None:
    """Run the command. Every fault is one clear error; a traceback needs --debug."""
    sys.exit(
        terminal.run_guarded(
            lambda: cli.main(prog_name="healthv1", standalone_mode=False), wants_json="--json" in sys.argv
        )
    )
