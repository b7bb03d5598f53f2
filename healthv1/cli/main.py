"""The `healthv1` command: each file here parses one command, calls one function, and shows its result."""

from __future__ import annotations

import gc
import sys
from importlib import import_module

import click

from healthv1.cli.unstarted import refuse_missing
from healthv1.output import terminal

COMMANDS = (
    *("apply", "backup", "before", "db", "drift", "drill", "export", "facts", "journal", "lock", "maintenance", "plan"),
    *("restore", "retire", "sandbox", "secrets", "show", "verify"),
)
"""Each is in the file of its name."""


class Commands(click.Group):
    """Reads the file of a command when it is asked for: reading all of them takes longer than many a command."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        gc.disable()  # nothing that modules make is garbage, and looking for it takes a tenth of the start
        try:
            command: click.Command = getattr(import_module(f"healthv1.cli.{name}"), name)
        except ImportError as missing:
            refuse_missing(missing)
        finally:
            gc.freeze()
            gc.enable()
        return command

    def resolve_command(
        self, context: click.Context, words: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(context, words)
        except click.exceptions.NoSuchCommand as unknown:  # click proposes what it has loaded
            raise click.exceptions.NoSuchCommand(unknown.command_name, None, COMMANDS, context) from None


@click.group(cls=Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
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


def main() -> None:
    """Run the command. Every fault is one clear error; a traceback needs --debug."""
    sys.exit(
        terminal.run_guarded(
            lambda: cli.main(prog_name="healthv1", standalone_mode=False), wants_json="--json" in sys.argv
        )
    )
