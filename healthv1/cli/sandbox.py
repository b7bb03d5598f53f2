"""`healthv1 sandbox …`: parse, call one function, print."""

from __future__ import annotations

import os
import time
from dataclasses import asdict

import click

from healthv1.cli.options import as_json
from healthv1.commands import sandbox as work
from healthv1.output import terminal
from healthv1.signals import changes_begin


def _say(sentence: str) -> None:
    click.echo(f"  {sentence}", err=True)


@click.group()
def sandbox() -> None:
    """Disposable hosts on this machine, and the servers around them (needs root and Linux)."""
    changes_begin()


@sandbox.command()
@click.option("--hosts", type=click.IntRange(1, 9), help="How many.  [default: 1]")
@click.option("--suite", type=click.Choice(work.SUITES), help="The Debian release.  [default: trixie]")
@click.option("--drill", is_flag=True, help="With a bare host, drill1, for restore drills.")
@click.option("--replacement", is_flag=True, help="With a bare host, host1b, which is in no inventory yet.")
@click.option("--locked-s3", is_flag=True, help="With an S3 that keeps every version for a day; also later.")
def up(hosts: int | None, suite: str | None, drill: bool, replacement: bool, locked_s3: bool) -> None:
    """Bring it up, or mend what died of it."""
    started = time.monotonic()
    running = work.up(hosts, suite, _say, drill=drill, replacement=replacement, with_locked_s3=locked_s3)
    names = ", ".join(f"{host.name} ({host.address})" for host in running.hosts)
    click.echo(f"{names} on {running.suite}, up in {time.monotonic() - started:.1f} s.")
    terminal.say_next("healthv1 apply sandbox")


@sandbox.command()
def down() -> None:
    """Take it down and remove everything it made. The caches stay."""
    work.down(_say)
    terminal.say_next("healthv1 sandbox up")


@sandbox.command()
@as_json
def status(as_json: bool) -> None:
    """Show what runs."""
    report = work.status()
    if as_json:
        terminal.show_document(asdict(report))
        return
    for line in report.lines():
        click.echo(line)


@sandbox.command(context_settings={"ignore_unknown_options": True})
@click.argument("host", required=False)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def ssh(host: str | None, command: tuple[str, ...]) -> None:
    """Log in to HOST (default: the first), or run COMMAND there."""
    argv = work.ssh(host, command)
    os.execvp(argv[0], argv)  # noqa: S606 - the terminal is handed over to ssh
