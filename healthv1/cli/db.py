"""`healthv1 db …`: parse, call one function, print."""

from __future__ import annotations

import sys

import click

from healthv1.cli.options import environment
from healthv1.commands import db as work
from healthv1.output import terminal
from healthv1.secrets.vault.database_logins import Lease
from healthv1.signals import changes_begin


@click.group()
def db() -> None:
    """The database, by hand: psql on its host, over SSH."""
    changes_begin()  # what is typed there is not ours to know


@db.command()
@environment
@click.option("--read-only", is_flag=True, help="With a login that Vault makes for this session, and that only reads.")
@click.option("-c", "--command", "statements", metavar="SQL", help="Run this and end. Without: from the terminal.")
def shell(environment: str, read_only: bool, statements: str | None) -> None:
    """Open psql on the database's host. Exit 0: it ended well; 1: it did not.

    With --read-only Vault makes a login for this session, and removes it when it ends: PostgreSQL's log says who read
    which table. Without, you are the superuser postgres, and the log names postgres.

    What patients told is encrypted by the API, and psql shows it as it is stored. Nothing that you type is kept.
    """
    if statements is None and not sys.stdin.isatty():
        statements = sys.stdin.read()
    greet = _greet if statements is None else _say_nothing
    well = work.shell(environment, statements, greet, read_only=read_only)
    sys.exit(0 if well else 1)


@db.command()
@environment
def engine(environment: str) -> None:
    """Tell Vault's database engine how logins are made here, and try it. The same again changes nothing."""
    click.echo(f"{work.engine(environment)} makes logins, and removes them.")
    terminal.say_next(f"healthv1 db shell {environment} --read-only")


def _greet(host: str, lease: Lease) -> None:
    click.echo(f"You are {lease.user} on {host}: you may read, for {lease.minutes} min at most.", err=True)


def _say_nothing(host: str, lease: Lease) -> None:
    """A script's reader wants the answer alone."""
