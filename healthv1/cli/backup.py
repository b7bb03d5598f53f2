"""`healthv1 backup …`: parse, call one function, print."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timezone

import click

from healthv1.backup.exposure import Checked
from healthv1.backup.undeletion import Undeleted, UndeleteWish
from healthv1.cli.options import DONE, FAILED, NOT_PROVEN, as_json, environment
from healthv1.commands import backup as work
from healthv1.commands.backup import Backups, RepositoryState
from healthv1.output import terminal
from healthv1.plan import counted, finding
from healthv1.rollout.progress import Progress
from healthv1.signals import changes_begin, sigterm_as_interrupt


@click.group()
def backup() -> None:
    """Backups of the database: made, listed, and read back."""


@backup.command()
@environment
@as_json
@click.option("--full", is_flag=True, help="Copy everything, not only what changed since the backup before.")
def now(environment: str, as_json: bool, full: bool) -> None:
    """Back the database up now, and read the backups back. Exit 0: all are proven; 3: one is not; 1: none was made."""
    changes_begin()
    _show_proofs(work.now(environment, Progress().note, full=full), as_json=as_json)


@backup.command()
@environment
@as_json
def verify(environment: str, as_json: bool) -> None:
    """Read every backup and all WAL back from the repository. Exit 0: all are whole; 3: they are not; 1: a fault."""
    _show_proofs(work.verify(environment, Progress().note), as_json=as_json)


@backup.command("list")
@environment
@as_json
def list_(environment: str, as_json: bool) -> None:
    """List the backups that are kept, the newest last. Exit 0; 3: a repository cannot be read; 1: a fault."""
    backups = work.list_(environment)
    if as_json:
        terminal.show_document(backups.as_json())
    else:
        for repository in backups.repositories:
            for line in _rows(repository):
                terminal.say(line)
    sys.exit(_code(backups))


@backup.command()
@environment
@as_json
def check(environment: str, as_json: bool) -> None:
    """Try what backups depend on: repositories, WAL's way into them, the disk. Exit 0: all well; 3: not; 1: a fault."""
    checked = work.check(environment)
    findings = list(checked.findings)
    if as_json:
        document = finding.as_json(environment, findings, [])
        terminal.show_document({**document, "exposed": [asdict(entry) for entry in checked.exposed]})
    else:
        for line in finding.lines(findings, everything=True):
            terminal.say(line, fg={"✓": "green", "✗": "red"}.get(line.strip()[:1]))
        for line in _exposure(checked):
            terminal.say(line, fg="yellow" if line.lstrip().startswith("!") else None)
    sys.exit(DONE if checked.holds else NOT_PROVEN)


_SIGNS = {"bad": "!", "well": "✓", "unknown": "?", "told": "·"}


def _exposure(checked: Checked) -> Iterator[str]:
    for entry in checked.exposed:
        yield f"A thief of {checked.host}'s key, in repository {entry.repository} ({entry.folder}):"
        yield from (f"    {_SIGNS[ability['verdict']]} {ability['sentence']}" for ability in entry.abilities)


@backup.command()
@environment
@click.option("--to", required=True, metavar="TIME", help='When all was well, in UTC: "2026-11-29 09:30:00".')
@click.option("--repo", default=1, show_default=True, help="Which repository: 1, or 2 for the second one.")
@click.option("--folder", default="", help="Another one of this environment's folders than the host writes to.")
@click.option("--dry-run", is_flag=True, help="Show what would be brought back, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def undelete(environment: str, to: str, repo: int, folder: str, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Bring back what was deleted or overwritten in a bucket that keeps versions, as it was at TIME.

    Exit 0: it is there again, or was; 1: a fault, or it was declined. A run that was interrupted is gone on with by
    another one.
    """

    def agree(found: Undeleted) -> bool:
        if not as_json:
            _preview(found)
        agreed = yes or terminal.consent("backup undelete", "Make these versions current again?")
        if agreed:
            changes_begin()
        return agreed

    with sigterm_as_interrupt():
        result = work.undelete(environment, UndeleteWish(to, repo, folder, preview=dry_run), agree, Progress().note)
    if as_json:
        terminal.show_document(result.as_json())
    else:
        _show_undeleted(result, repo, dry_run=dry_run)
    sys.exit(FAILED if result.faults or result.declined else DONE)


def _preview(result: Undeleted) -> None:
    undeletion = result.found
    terminal.say(f"{result.bucket}{result.folder}, as it was at {result.to}:", bold=True)
    terminal.say(f"  to make current again: {counted(len(undeletion.due), 'object')} ({_size(undeletion.size)})")
    terminal.say(f"  as it was: {counted(undeletion.done, 'object')}; of later, and stays: {undeletion.later}")
    newest = undeletion.backups[-1] if undeletion.backups else "none: no backup was there at that time"
    terminal.say(f"  the newest backup is then {newest}")
    if undeletion.unlisted:
        later = counted(len(undeletion.unlisted), "backup")
        terminal.say(f"! {later} of later would not be listed any more:", fg="yellow")
        terminal.say(f"  {', '.join(undeletion.unlisted)}; give a later TIME to keep them")


def _show_undeleted(result: Undeleted, repo: int, *, dry_run: bool) -> None:
    environment = result.environment
    if not result.found.due:
        terminal.say(f"Nothing to do: {result.folder} is as it was at {result.to}.", bold=True)
        terminal.say_next(f"healthv1 backup verify {environment}")
    elif dry_run:
        _preview(result)
        terminal.say("Nothing was changed.", bold=True)
    elif result.declined:
        terminal.say("Nothing was changed.", bold=True)
    else:
        terminal.say(f"Current again: {result.copied} of {counted(len(result.found.due), 'object')}.", bold=True)
        terminal.show_faults(result.faults)
        words = ("backup", "undelete", environment, f"--repo={repo}", f"--folder={result.folder}", f"--to={result.to}")
        again = shlex.join(("healthv1", *words))
        terminal.say_next(f"{again}: it goes on" if result.faults else f"healthv1 backup verify {environment}")


@backup.command()
@environment
@click.argument("name", metavar="NAME")
@as_json
def mark(environment: str, name: str, as_json: bool) -> None:
    """Name this moment, to which the database can be restored: healthv1 restore ENV --to NAME."""
    changes_begin()
    made = work.mark(environment, name, Progress().note)
    if as_json:
        terminal.show_document({"schema": work.SCHEMA, "environment": environment, **made})
        return
    click.echo(f"{made['name']} is at {made['position']}, {_time(made['at'])}.")
    terminal.say_next(f"healthv1 restore {environment} --to {name}, when it is needed")


def _show_proofs(backups: Backups, *, as_json: bool) -> None:
    if as_json:
        terminal.show_document(backups.as_json())
    else:
        for repository in backups.repositories:
            for line in _proof(repository):
                terminal.say(line, fg="red" if line.startswith("✗") else None)
        terminal.show_faults(backups.faults)
    sys.exit(_code(backups))


def _code(backups: Backups) -> int:
    return FAILED if backups.faults else DONE if backups.holds else NOT_PROVEN


def _proof(repository: RepositoryState) -> Iterator[str]:
    """Yield what was found in a repository."""
    proof = repository.proof or {}
    name = f"repository {repository.repository} ({repository.folder})"
    for fault in repository.faults:
        yield f"✗ {name}: {fault}"
    if proof.get("backups") and not repository.faults:
        yield (
            f"✓ {name}: {counted(proof['backups'], 'backup')} and {counted(proof['segments'], 'WAL segment')} were read"
            f" back in {proof['seconds']} s; the newest ended {_time(proof['newest'])}"
        )


def _rows(repository: RepositoryState) -> Iterator[str]:
    yield f"repository {repository.repository} ({repository.folder})"
    for fault in repository.faults:
        yield f"✗ {fault}"
    cells = [("LABEL", "KIND", "ENDED", "TOOK", "DATABASE", "STORED")]
    cells += [
        (
            entry["label"],
            entry["kind"],
            _time(entry["stopped"]),
            f"{entry['stopped'] - entry['started']} s",
            _size(entry["size"]),
            _size(entry["stored"]),
        )
        for entry in repository.backups
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _time(moment: int) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def _size(size: int) -> str:
    for unit, length in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= length:
            return f"{size / length:.1f} {unit}"
    return f"{size} B"
