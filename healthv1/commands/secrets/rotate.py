"""`healthv1 secrets rotate`: refuses it while other changes are due, and applies between the steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any

from deploys.secret import Secret
from healthv1.commands.apply import apply
from healthv1.commands.plan import plan
from healthv1.commands.secrets import data_keys, register
from healthv1.commands.secrets.register import SCHEMA
from healthv1.errors import Fault, Refused
from healthv1.hosts.secrets_in_use import SecretsInUse
from healthv1.hosts.session import Session
from healthv1.journal.recording import recorded, secret_step
from healthv1.lock.holder import Terms
from healthv1.lock.locking import locked_session
from healthv1.rollout.losses import bind_secrets_unless_lost
from healthv1.rollout.progress import Progress
from healthv1.secrets import rotation
from healthv1.secrets.rotation import Turn
from healthv1.secrets.strength import refuse_unusable


@dataclass(frozen=True)
class Rotated:
    environment: str
    done: dict[str, int]
    """The active version of each that is settled."""
    waiting: dict[str, str]
    """What the others wait for."""

    def as_json(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}


def rotate(
    environment: str,
    names: Sequence[str],
    agree: Callable[[dict[str, str]], bool],
    *,
    value: str | None,
    at_once: bool,
    terms: Terms = Terms(),  # noqa: B008 - a value
) -> Rotated | None:
    """Rotate without a refused request, and return the result; None when `agree` was asked and declined."""
    in_use = bind_secrets_unless_lost(environment)
    register.backend_of(in_use)
    turns = [_turn(secret, in_use) for secret in register.secrets_named(in_use, names)]
    rotation.refuse(turns, value)
    if value is not None:
        refuse_unusable(turns[0].secret, value)
    if not agree({turn.secret.key: turn.entry.step for turn in turns}):
        return None
    progress = Progress()
    steps = [secret_step("rotate", turn.secret.key) for turn in turns]
    with (
        locked_session(environment, "secrets rotate", terms, progress.note) as session,
        recorded(session, "secrets rotate", progress.note, steps) as run,
    ):
        if all(turn.entry.step == "settled" for turn in turns):
            _refuse_pending_changes(environment)
        session.check_lock()
        rotation.begin(turns, value)
        waiting = rotation.rotate(turns, partial(_apply, session, progress), progress.note, at_once=at_once)
        run.end_with([secret_step("rotate", turn.secret.key) for turn in turns if turn not in waiting], ())
    return Rotated(
        environment,
        {turn.secret.key: turn.entry.active for turn in turns if turn not in waiting},
        {turn.secret.key: _awaited(turn, environment) for turn in waiting},
    )


def renew_data_keys(environment: str, terms: Terms = Terms()) -> str:  # noqa: B008 - a value
    """Seal all that is known of patients anew, under a new data key; return what was done."""
    note, command = Progress().note, "secrets rotate data_keys"
    with locked_session(environment, command, terms, note) as session, recorded(session, command, note) as run:
        summary = data_keys.renew(session)
        run.end_with([secret_step("renew", data_keys.NAME)], ())
        return summary


def _turn(secret: Secret, in_use: SecretsInUse) -> Turn:
    escrowed = secret.irreplaceable and in_use.environment.require_escrow
    return Turn(secret, in_use.environment.validity(secret.key), escrowed)


def _refuse_pending_changes(environment: str) -> None:
    """Refuse a rotation while other changes are due: its applies would make them too."""
    due = plan(environment, ())
    Refused.unless(due.faults)
    if due.steps:
        what = f"{due.changes} changes are due on its hosts."
        raise Refused(Fault(environment, what, f"healthv1 apply {environment}, then rotate"))


def _apply(session: Session, progress: Progress) -> None:
    """Apply before the backend takes its next step. Raises `LockError` when the lock was lost meanwhile."""
    applied = apply(session.environment, (), lambda _plan: True, progress)
    Refused.unless(applied.faults)
    if applied.interrupted:
        raise KeyboardInterrupt
    session.check_lock()


def _awaited(turn: Turn, environment: str) -> str:
    if turn.entry.step == "staged":
        return f"an export for escrow: healthv1 secrets export {environment} --to KEY --out FILE"
    return f"what was made with the old version, until {_clock(turn.due)}"


def _clock(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC") if moment else "an unknown time"
