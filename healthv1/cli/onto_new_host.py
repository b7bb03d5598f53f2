"""`healthv1 restore ENV --onto-new-host`: call one function, print how long it took and what is left to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import NoReturn

from healthv1.backup.lost import clock
from healthv1.backup.onto_wish import OntoWish
from healthv1.backup.restores import KEPT
from healthv1.cli import results
from healthv1.commands import onto_new_host as work
from healthv1.commands.onto_new_host import MovedOnto
from healthv1.lock.holder import Terms
from healthv1.output import terminal
from healthv1.signals import changes_begin


def run(environment: str, wish: OntoWish, terms: Terms, *, ask: bool, as_json: bool) -> NoReturn:
    changes_begin()
    moved = work.onto_new_host(environment, wish, results.agreement(show=not as_json, ask=ask), terms)
    if as_json:
        terminal.show_document(moved.as_json())
    else:
        _show(moved)
    sys.exit(moved.exit_code)


def _show(moved: MovedOnto) -> None:
    if moved.declined:
        terminal.say("Nothing was changed on any host.", bold=True)
        return
    for line in lines(moved):
        terminal.say(line, fg="red" if line.startswith("✗") else None)
    terminal.show_faults(moved.faults)
    if moved.report:
        results.show_report(moved.report, everything=False)
    terminal.say_next(f"healthv1 backup list {moved.environment}" if not moved.faults else "the same command goes on")


def lines(moved: MovedOnto) -> Iterator[str]:
    """Yield what came of it, for a terminal."""
    restored = moved.restored
    if restored and restored.proven:
        yield from (f"✗ {fault}" for fault in restored.proven.get("faults", []))
        if restored.proven.get("holds"):
            yield f"✓ {moved.host} has {restored.asked.get('text')}: every page, table and index was read."
        if restored.proven.get("canary"):
            yield f"  It has everything up to {clock(restored.proven['canary'])}. What was written later is lost."
        yield from (f"  {told}" for told in restored.proven.get("told", []))
        if restored.phase == KEPT and not moved.faults:
            yield "  The copy is kept, and nothing was exchanged."
    phases = ", ".join(f"{phase} {seconds:.0f} s" for phase, seconds in moved.seconds.items())
    if moved.rto:
        since = f"went on with what was begun {clock(moved.begun)}" if moved.begun else "from the command"
        yield f"RTO: {moved.rto:.0f} s, {since}, until visitors were let in ({phases})."
    if moved.left_to_do:
        yield "Left to do by hand:"
        yield from (f"  - {sentence}" for sentence in moved.left_to_do)
