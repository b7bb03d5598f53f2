"""A rotation changes what the backend keeps, and then only applies: hosts are deployed from each state in turn.

A run that was killed left its step in the backend; the next run goes on from there, and rotates nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from deploys.secret import Secret
from healthv1.errors import Fault, Refused
from healthv1.secrets.backend import Backend, generate
from healthv1.secrets.entry import Entry, now

STEP_NOTES = {
    "staged": "have servers accept version {new} as well",
    "promoted": "have clients use version {new}; version {old} is still accepted",
    "retired": "have nobody accept version {old} any more",
    "settled": "done, version {new} alone is accepted",
}


@dataclass(frozen=True)
class Turn:
    """One secret that is being rotated."""

    secret: Secret
    outlives: timedelta = timedelta()
    """How long tokens made with the old version stay valid, after clients stopped using it."""
    escrow: bool = False
    """Whether a version must have been exported before clients use it."""

    @property
    def backend(self) -> Backend[Any]:
        assert isinstance(self.secret.backend, Backend)
        return self.secret.backend

    @property
    def entry(self) -> Entry:
        entry = self.backend.entry(self.secret.key)
        if entry is None:
            hint = f"healthv1 secrets init {self.backend.environment}"
            raise Refused(Fault(str(self.secret), "It is not in the backend yet.", hint))
        return entry

    @property
    def due(self) -> datetime | None:
        """When the old version may be retired; None unless that is what it waits for."""
        entry = self.entry
        return entry.since + self.outlives if entry.step == "promoted" and entry.since else None


def refuse(turns: list[Turn], value: str | None) -> None:
    """Raise `Refused` when one of them cannot be rotated, or not to `value`."""
    Refused.unless(fault for turn in turns for fault in _refusals(turn, value))


def begin(turns: list[Turn], value: str | None) -> None:
    """Record a new version of each secret that is settled; one whose rotation is under way is left to go on."""
    for turn in turns:
        fresh = value or generate(turn.secret.entropy)
        turn.backend.change(turn.secret.key, partial(_first_step, turn, value=fresh))


def rotate(
    turns: list[Turn], apply: Callable[[], None], note: Callable[[str], None], *, at_once: bool
) -> tuple[Turn, ...]:
    """Advance each until it is settled or has to wait; return the waiting ones. `apply` raises if a host fails."""
    rotating = [turn for turn in turns if turn.entry.step != "settled"]
    for turn in rotating:
        note(_step_note(turn))
    while any(turn.entry.step != "settled" for turn in turns):
        apply()
        has_moved = False
        for turn in turns:
            before = turn.entry.step
            turn.backend.change(turn.secret.key, partial(_next_step, turn, at_once=at_once))
            if turn.entry.step != before:
                has_moved = True
                note(_step_note(turn))
        if not has_moved:
            break
    return tuple(turn for turn in turns if turn.entry.step != "settled")


def is_exported(turn: Turn) -> bool:
    return not turn.escrow or bool(turn.entry.newest.escrowed)


def _refusals(turn: Turn, value: str | None) -> list[Fault]:
    where = str(turn.secret)
    if turn.secret.rotation == "by hand":
        return [Fault(where, "Whoever uses it changes it in the API itself.", "log in there and change it")]
    if not turn.secret.entropy and value is None:
        return [Fault(where, "Only a person can supply its value.", "pipe it in, with --stdin")]
    if value is not None and turn.entry.step != "settled":
        return [Fault(where, f"A rotation is under way: it is {turn.entry.step}.", "finish it first, without --stdin")]
    return []


def _first_step(turn: Turn, current: Entry | None, value: str) -> Entry:
    entry = current or turn.entry
    if entry.step != "settled":
        return entry
    if turn.secret.rotation == "overlapping":
        return entry.staged(value)
    return entry.replaced(value, keep=turn.secret.irreplaceable)


def _next_step(turn: Turn, current: Entry | None, *, at_once: bool) -> Entry:
    entry = current or turn.entry
    match entry.step:
        case "staged" if is_exported(turn):
            return entry.promoted()
        case "promoted" if at_once or _is_over(entry, turn.outlives):
            return entry.retired(keep=turn.secret.irreplaceable)
        case "retired":
            return entry.settled()
        case _:
            return entry


def _is_over(entry: Entry, outlives: timedelta) -> bool:
    return entry.since is None or now() >= entry.since + outlives


def _step_note(turn: Turn) -> str:
    entry = turn.entry
    numbers = [kept.number for kept in entry.versions]
    new, old = max(numbers), max(numbers) - 1
    return f"{turn.secret.key} ({entry.step}): {STEP_NOTES[entry.step].format(new=new, old=old)}"
