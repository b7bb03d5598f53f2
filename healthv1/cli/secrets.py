"""`healthv1 secrets …`: parse, call one function, print. No value of a secret is ever printed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import click

from healthv1.cli import lock, results
from healthv1.cli.options import as_json, environment
from healthv1.commands.secrets import (
    check,
    data_keys,
    doctor,
    export,
    init,
    policy,
    read_back,
    register,
    rekey,
    restore,
    rotate,
)
from healthv1.commands.secrets import list as listing
from healthv1.commands.secrets import set as setting
from healthv1.commands.secrets.register import SCHEMA
from healthv1.commands.verify import Report
from healthv1.errors import Fault, Refused
from healthv1.lock.holder import Terms
from healthv1.output import terminal
from healthv1.plan import counted, finding

name = click.argument("name", metavar="NAME")
yes = click.option("--yes", is_flag=True, help="Do not ask.")
file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
identity = click.option(
    "--identity",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The private key of a recipient: an age identity, or an SSH key without passphrase.",
)


@click.group()
def secrets() -> None:
    """Secrets: made, kept, proven, rotated and put into escrow. None is ever printed."""


@secrets.command("init")
@environment
@as_json
def init_(environment: str, as_json: bool) -> None:
    """Generate what is missing. What is there is never overwritten."""
    done = init.init(environment)
    if as_json:
        terminal.show_document(done.as_json())
        return
    for key in done.generated:
        click.secho(f"+ generated {key}", fg="green")
    click.echo(f"{len(done.generated)} generated, {len(done.kept)} were there already.")
    for key in done.wanting:
        click.echo(f"Only you can supply {key}: healthv1 secrets set {environment} {key}")
    terminal.say_next(f"healthv1 secrets doctor {environment}")


@secrets.command("list")
@environment
@as_json
def list_(environment: str, as_json: bool) -> None:
    """Show names, versions, ages and who uses them."""
    rows = listing.listing(environment)
    if as_json:
        terminal.show_document(
            {"schema": SCHEMA, "environment": environment, "secrets": [row.as_json() for row in rows]}
        )
        return
    for line in register.table(rows):
        click.echo(line)


@secrets.command("check")
@environment
@as_json
def check_(environment: str, as_json: bool) -> None:
    """Prove that each is there, has its entropy, and is accepted by what it opens. Exit 1: one is not."""
    _report(environment, check.check(environment), as_json)


@secrets.command("doctor")
@environment
@as_json
def doctor_(environment: str, as_json: bool) -> None:
    """Look at the backend alone: what is missing, weak, old, unused, half rotated, or not in escrow."""
    _report(environment, doctor.examine(environment), as_json)


@secrets.command("set")
@environment
@name
def set_(environment: str, name: str) -> None:
    """Keep a value that you type, or pipe in. It is asked for twice and not shown."""
    value = _read_piped() if not sys.stdin.isatty() else _read_typed(name)
    number = setting.put(environment, name, value, _confirm_replacement)
    click.echo(f"Kept as version {number} of {name}.")
    terminal.say_next(f"healthv1 apply {environment}")


@secrets.command("rotate")
@environment
@click.argument("names", metavar="NAME…", nargs=-1, required=True)
@click.option("--stdin", "from_stdin", is_flag=True, help="Take the new value from stdin instead of generating it.")
@click.option(
    "--now", "at_once", is_flag=True, help="Refuse the old value at once: who holds a token must log in again."
)
@yes
@as_json
@lock.wait
@lock.reason
def rotate_(
    environment: str,
    names: tuple[str, ...],
    from_stdin: bool,
    at_once: bool,
    yes: bool,
    as_json: bool,
    lock_wait: float,
    reason: str,
) -> None:
    """Replace by a new value, step by step: nobody is refused meanwhile. Goes on where a killed run stopped.

    NAME `data_keys` renews the keys in the database, and seals every row anew.
    """
    terms = Terms(reason, lock_wait)
    if data_keys.NAME in names:
        _renew_data_keys(environment, names, yes, as_json, terms)
        return
    if from_stdin and len(names) > 1:
        raise click.UsageError("--stdin gives one value: name one secret.")
    value = _read_piped() if from_stdin else None
    agree = _agreement(environment, yes)
    done = rotate.rotate(environment, names, agree, value=value, at_once=at_once, terms=terms)
    if done is None:
        _exit_declined()
    if as_json:
        terminal.show_document(done.as_json())
        return
    for key, number in done.done.items():
        click.secho(f"{key} is version {number} now, and nothing accepts the one before.", bold=True)
    for key, awaited in done.waiting.items():
        click.echo(f"{key} waits for {awaited}.")
    again = f"healthv1 secrets rotate {environment} {' '.join(done.waiting)}"
    terminal.say_next(again if done.waiting else f"healthv1 secrets check {environment}")


@secrets.command("export")
@environment
@click.option(
    "--to", "recipients", multiple=True, required=True, metavar="KEY", help="A public age or SSH key. Repeatable."
)
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file to write.")
@click.option("--all", "everything", is_flag=True, help="Every secret, not only those that data are lost with.")
def export_(environment: str, recipients: tuple[str, ...], out: Path, everything: bool) -> None:
    """Write the master key into an escrow file that only the holders of these keys can open."""
    names = export.export(environment, recipients, out, everything=everything)
    whom = counted(len(recipients), "recipient")
    click.echo(f"{out} holds {', '.join(names)}, for {whom}. Keep it away from the servers.")
    terminal.say_next(f"healthv1 secrets read-back {environment} {out} --identity PRIVATE_KEY")


@secrets.command("read-back")
@environment
@file
@identity
def read_back_(environment: str, file: Path, identity: Path) -> None:
    """Prove that an escrow file opens and holds what the backend keeps. The first deploy waits for it."""
    names = read_back.read_back(environment, file, identity)
    click.echo(f"{file} opens, and holds {', '.join(names)} as the backend does.")
    terminal.say_next(f"healthv1 apply {environment}")


@secrets.command("restore")
@environment
@file
@identity
def restore_(environment: str, file: Path, identity: Path) -> None:
    """Bring back from an escrow file what the backend lost. What is there is never overwritten."""
    names = restore.restore(environment, file, identity)
    click.echo(f"Brought back: {', '.join(names)}." if names else "Nothing was missing.")
    terminal.say_next(f"healthv1 secrets check {environment}")


@secrets.command("policy")
@environment
@click.argument("name", metavar="deploy|rotate|read", type=click.Choice(["deploy", "rotate", "read"]))
def policy_(environment: str, name: str) -> None:
    """Print the Vault policy that a token needs to deploy, rotate or read, and nothing more."""
    click.echo(policy.policy(environment, name), nl=False)


@secrets.command("rekey")
@environment
def rekey_(environment: str) -> None:
    """Give the encrypted file a new key, for the recipients or the passphrase of now."""
    rekey.rekey(environment)
    click.echo("It has a new key. Who could open it before still knows what they read: rotate that.")
    terminal.say_next(f"healthv1 secrets list {environment}")


def _renew_data_keys(environment: str, names: tuple[str, ...], yes: bool, as_json: bool, terms: Terms) -> None:
    if len(names) > 1:
        raise click.UsageError(f"{data_keys.NAME} are in the database: rotate them by themselves.")
    if not yes:
        _refuse_without_terminal("give --yes")
        if not click.confirm("Seal everything known of patients anew? Visitors are served meanwhile.", err=True):
            _exit_declined()
    summary = rotate.renew_data_keys(environment, terms)
    if as_json:
        terminal.show_document({"schema": SCHEMA, "environment": environment, "done": summary})
    else:
        click.echo(summary)
        terminal.say_next(f"healthv1 verify {environment}")


def _agreement(environment: str, yes: bool) -> Callable[[dict[str, str]], bool]:
    def agree(steps: dict[str, str]) -> bool:
        if yes:
            return True
        for key, step in steps.items():
            click.echo(f"{key}: {'a new version' if step == 'settled' else f'goes on; it is {step}'}", err=True)
        _refuse_without_terminal("give --yes")
        return click.confirm(f"Rotate on the hosts of {environment}? Its API instances restart one by one.", err=True)

    return agree


def _confirm_replacement(text: str) -> bool:
    _refuse_without_terminal("replace it by hand, at a terminal")
    click.echo("Data that it encrypts are lost unless they are wrapped anew, or the old version is kept.", err=True)
    return str(click.prompt(f"Type {text} to replace it", err=True)) == text


def _exit_declined() -> NoReturn:
    click.secho("Nothing was changed.", bold=True)
    sys.exit(1)


def _refuse_without_terminal(hint: str) -> None:
    if not sys.stdin.isatty():
        raise Refused(Fault("secrets", "There is nobody to ask.", hint))


def _read_piped() -> str:
    return sys.stdin.read().removesuffix("\n")


def _read_typed(name: str) -> str:
    return str(click.prompt(name, hide_input=True, confirmation_prompt=True, err=True))


def _report(environment: str, findings: list[finding.Finding], as_json: bool) -> None:
    holds = all(finding.holds for finding in findings)
    if as_json:
        terminal.show_document(finding.as_json(environment, findings, ()))
    else:
        results.show_report(Report(environment, findings), everything=False)
    sys.exit(0 if holds else 1)
