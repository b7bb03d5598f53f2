"""`healthv1 restore …`: parse, call one function, print."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

import click

from healthv1.backup.onto_wish import OntoWish
from healthv1.backup.restores import KEPT, SCHEMA, SWAPPED, Restore
from healthv1.cli import lock, onto_new_host
from healthv1.cli.options import as_json, environment
from healthv1.commands import restore as work
from healthv1.errors import Fault, Refused
from healthv1.lock.holder import Terms
from healthv1.output import terminal
from healthv1.signals import changes_begin

MOST_TABLES = 30
"""More tables than that are counted, not listed."""
ONTO = "onto-new-host"
readable_file = click.Path(dir_okay=False, exists=True, path_type=Path)


@click.command()
@environment
@click.option("--to", default=None, metavar="TARGET", help="latest, a time, a position in the WAL, a restore point.")
@click.option("--backup", default="", metavar="LABEL", help="The backup to begin with, not the nearest one.")
@click.option("--repository", default=0, type=click.IntRange(0), metavar="N", help="Out of this repository.")
@click.option("--status", is_flag=True, help="Say what is under way or kept.")
@click.option("--swap", is_flag=True, help="Have what is kept serve, and keep what served.")
@click.option("--unproven", is_flag=True, help="With --swap or --onto-new-host: also a copy that is not proven.")
@click.option("--discard", is_flag=True, help="Remove what is kept.")
@click.option("--resume", is_flag=True, help="Go on with what was killed or failed.")
@click.option("--abandon", is_flag=True, help="Undo what was killed or failed.")
@click.option("--database", default="", metavar="NAME", help="Copy this one out of what is kept, as NAME_restored.")
@click.option("--table", default="", metavar="SCHEMA.TABLE", help="Copy only the rows of this table out.")
@click.option(
    "--onto-new-host", "onto", is_flag=True, help="Deploy a bare host, and have a lost one's data serve on it."
)
@click.option(
    "--from", "folder", default="", metavar="FOLDER", help="With it: the lost host's folder in the repository."
)
@click.option("--escrow", type=readable_file, metavar="FILE", help="With it: bring lost secrets back out of this file.")
@click.option("--identity", type=readable_file, metavar="KEY", help="The private key that opens the escrow file.")
@click.option("--i-have-powered-off", "powered_off", default="", metavar="HOST", help="With it: the lost host's name.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@lock.wait
@lock.reason
def restore(
    environment: str,
    to: str | None,
    backup: str,
    repository: int,
    status: bool,
    swap: bool,
    unproven: bool,
    discard: bool,
    resume: bool,
    abandon: bool,
    database: str,
    table: str,
    onto: bool,
    folder: str,
    escrow: Path | None,
    identity: Path | None,
    powered_off: str,
    yes: bool,
    as_json: bool,
    lock_wait: float,
    reason: str,
) -> None:
    """Restore the database beside the live one, and prove the copy. Exit 0: done and proven; docs/restore.md has more.

    When the database host is lost: --onto-new-host, docs/disaster.md.

    The live data are not touched before --swap, and are kept aside then.
    """
    copy = bool(database or table)
    wanted = _one_of(
        status=status, swap=swap, discard=discard, resume=resume, abandon=abandon, copy=copy, onto_new_host=onto
    )
    _refuse_strays(
        [
            (to is not None or backup or repository, {"", ONTO}, "--to, --backup and --repository belong"),
            (unproven, {"swap", ONTO}, "--unproven belongs"),
            (folder or powered_off, {ONTO}, "--from and --i-have-powered-off belong"),
            (escrow or identity, {ONTO}, "--escrow and --identity belong"),
        ],
        wanted,
    )
    terms = Terms(reason, lock_wait)
    if onto:
        if bool(escrow) != bool(identity):
            raise click.UsageError("--escrow and --identity belong together.")
        wish = OntoWish(to or "latest", backup, repository, folder, powered_off, escrow, identity, unproven)
        onto_new_host.run(environment, wish, terms, ask=not yes, as_json=as_json)
    if wanted != "status":
        changes_begin()
    done: Restore | None
    if wanted == "status":
        done = work.status(environment)
    elif wanted == "swap":
        done = work.swap(environment, _asking("swap", "Exchange them?", ask=not yes), terms, unproven=unproven)
    elif wanted == "discard":
        done = work.discard(environment, _asking("discard", "Remove it?", ask=not yes), terms)
    elif wanted == "resume":
        done = work.resume(environment, terms)
    elif wanted == "abandon":
        done = work.abandon(environment, _asking("abandon", "Undo it?", ask=not yes), terms)
    elif wanted == "copy":
        done = work.copy_out(environment, database, table, terms)
    else:
        done = work.restore(environment, to or "latest", backup, repository, terms)
    _show(done, environment, as_json=as_json)
    sys.exit(done.exit_code if done else 1)


def _refuse_strays(given: Sequence[tuple[object, frozenset[str] | set[str], str]], wanted: str) -> None:
    """Raise `UsageError` for what was given, and belongs to something else than what is wanted."""
    for value, homes, what in given:
        if value and wanted not in homes:
            names = " or ".join(sorted(f"--{home}" if home else "a new restore" for home in homes))
            raise click.UsageError(f"{what} to {names}.")


def _one_of(**flags: bool) -> str:
    given = [name.replace("_", "-") for name, value in flags.items() if value]
    if len(given) > 1:
        raise click.UsageError(f"Give one of --{' and --'.join(given)}.")
    return given[0] if given else ""


def _asking(action: str, question: str, *, ask: bool) -> Callable[[Restore], bool]:
    def agreed(found: Restore) -> bool:
        for line in _before(action, found):
            terminal.say(line, err=True)
        if not ask:
            return True
        if not sys.stdin.isatty():
            raise Refused(Fault(f"restore --{action}", "There is nobody to ask.", "see what it says, and give --yes"))
        return terminal.consent(f"restore --{action}", question)

    return agreed


def _before(action: str, found: Restore) -> Iterator[str]:
    """Yield what the user has to know before the answer."""
    if action == "swap" and found.phase == KEPT:
        yield f"The copy of {found.asked.get('text')} will serve. It has everything up to {_clock(found.newest)}."
        yield "What was written since then is missing in it. What serves now is kept aside, until it is discarded."
    elif action == "swap":
        yield f"The former data will serve again. They have everything up to {_clock(found.newest)}."
        yield "What was written since then is missing in them. What serves now is kept aside, until it is discarded."
    elif action == "discard":
        what = "The copy" if found.phase == KEPT else "The data that served before"
        yield f"{what} in {found.folder} goes: {_size(found.bytes)}, its newest row of {_clock(found.newest)}."
        if found.phase == SWAPPED:
            yield "It cannot be swapped in again. A moment of it can be restored as long as backups are kept."
    else:
        undone = {"return": "The data that served before serve again.", "remove": "The unfinished copy goes."}
        yield f"A restore to {found.asked.get('text')} stopped at {found.phase}. {undone.get(found.undo, '')}"


def _show(done: Restore | None, environment: str, *, as_json: bool) -> None:
    if as_json:
        document = done.as_json() if done else {"schema": SCHEMA, "environment": environment, "declined": True}
        terminal.show_document(document)
        return
    if done is None:
        terminal.say("Nothing was changed.", bold=True)
        return
    for line in lines(done):
        terminal.say(line, fg="red" if line.startswith("✗") else None)
    terminal.show_faults(done.faults)
    if not done.faults:
        for command in _following(done):
            terminal.say_next(command)


def lines(done: Restore) -> Iterator[str]:
    """Yield how a restore reads on a terminal."""
    if done.copied:
        what = done.copied["table"] or "all of it"
        yield f"{done.copied['database']} has {what} as of {done.copied['of']}. Look at it on {done.host}:"
        yield f"  {done.copied['psql']}"
        return
    if not done.phase:
        yield "Nothing is under way, and nothing is kept."
        return
    yield f"{done.host}: {done.phase}: {done.meaning}, in {done.folder}."
    if done.phase == KEPT:
        yield from _proof(done)
    if done.phase == SWAPPED:
        if done.swap.get("outage") is not None:
            yield f"The database was down for {done.swap['outage']} s. WAL of the new history is archived."
        yield "A full backup has begun. Until it is through, verify says of the backups what it knew before."


def _proof(done: Restore) -> Iterator[str]:
    proven = done.proven
    for fault in proven.get("faults", []):
        yield f"✗ {fault}"
    if proven.get("holds"):
        yield f"✓ It is proven: recovered to {proven['target']}, every page, table and index read."
    if proven.get("canary"):
        yield f"  The canary's newest row is of {_clock(proven['canary'])}, {proven['lost']} s before the target."
    for told in proven.get("told", []):
        yield f"  {told}"
    tables = [table for table in proven.get("tables", []) if table["copy"] != table["live"]]
    if tables:
        yield "  Rows where they differ:"
        cells = [("TABLE", "COPY", "LIVE")]
        cells += [
            (f"{entry['database']} {entry['name']}", _rows(entry, "copy"), _rows(entry, "live")) for entry in tables
        ]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for line in cells[: MOST_TABLES + 1]:
            yield "    " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        if len(tables) > MOST_TABLES:
            yield f"    and {len(tables) - MOST_TABLES} more"
    seconds = ", ".join(f"{name} {value} s" for name, value in proven.get("seconds", {}).items())
    yield f"  {seconds}"


def _rows(table: dict[str, object], side: str) -> str:
    about = "" if table["exact"] else "about "
    return "none" if table[side] is None else f"{about}{table[side]}"


def _following(done: Restore) -> Iterator[str]:
    if done.phase in {KEPT, SWAPPED} and done.asked.get("from"):
        yield f"healthv1 restore {done.environment} --onto-new-host, as it was begun; or --discard"
    elif done.phase in {KEPT, SWAPPED}:
        yield f"healthv1 restore {done.environment} --swap, or --discard"


def _clock(moment: float | None) -> str:
    return f"{datetime.fromtimestamp(moment, timezone.utc):%Y-%m-%d %H:%M:%S} UTC" if moment else "an unknown time"


def _size(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
