"""A restore on a database host: what its note says, how it is begun, and how its steps are followed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import gevent

from healthv1.backup.program import DONE, FAILED, NOT_PROVEN, BackupProgram, ProgramAnswer
from healthv1.errors import Fault, RestoreError

SCHEMA = 1
LOOK = 0.5
"""Seconds between two looks at the host's note."""
BEGIN = 400
"""Seconds: the repository is asked, and the newest WAL is waited for."""
UNREACHABLE, BUSY, SERVES = 4, 5, 6
"""Exit codes of the host's program, beside those of backups."""
CODES = {NOT_PROVEN: NOT_PROVEN, UNREACHABLE: UNREACHABLE, BUSY: BUSY, SERVES: BUSY}
"""By those: the exit codes of the command; 1 for all others."""
KEPT, SWAPPED = "kept", "swapped"
Note = Callable[[str], None]


@dataclass(frozen=True)
class Restore:
    """A restore as its host has noted it."""

    environment: str
    host: str
    phase: str = ""
    """Empty: nothing is under way, and nothing is kept."""
    meaning: str = ""
    active: bool = False
    """Whether the host works on it now."""
    folder: str = ""
    asked: dict[str, Any] = field(default_factory=dict)
    steps: Sequence[dict[str, Any]] = ()
    failure: dict[str, Any] = field(default_factory=dict)
    proven: dict[str, Any] = field(default_factory=dict)
    swap: dict[str, Any] = field(default_factory=dict)
    undo: str = ""
    bytes: int = 0
    """What is kept takes so much."""
    newest: float | None = None
    """Up to when what is kept has everything, in seconds since 1970."""
    copied: dict[str, Any] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    @property
    def rests(self) -> bool:
        return self.phase in {"", KEPT, SWAPPED}

    @property
    def serves(self) -> bool:
        """Whether a database serves, old or new: all that is left to do is done beside it."""
        return self.rests or self.phase in {"archiving", "backing-up"}

    @property
    def exit_code(self) -> int:
        if self.faults or self.failure:
            return CODES.get(int(self.failure.get("code", 1)), FAILED)
        return NOT_PROVEN if self.phase == KEPT and self.proven.get("faults") else DONE

    def as_json(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}


def begin(program: BackupProgram, *words: str) -> None:
    """Have the host begin. Raises `RestoreError` with what it has against it."""
    answer = program.call("restore", *words, timeout=BEGIN)
    if answer.code:
        raise _refusal(program, answer)


def _refusal(program: BackupProgram, answer: ProgramAnswer) -> RestoreError:
    what = "; ".join(answer.sentences[-2:]) or f"the program ended with {answer.code}"
    hints = {
        UNREACHABLE: f"see what there is: healthv1 backup list {program.environment}",
        BUSY: ways_on(read(program)),
        SERVES: f"healthv1 restore {program.environment} --resume",
    }
    hint = hints.get(answer.code, "mend that, then run it again")
    fault = Fault(program.host.name, f"{what[:1].upper()}{what[1:]}.", hint)
    return RestoreError(fault, exit_code=CODES.get(answer.code, FAILED))


def ways_on(found: Restore) -> str:
    """Return the commands that lead on from what is there."""
    name = found.environment
    if found.phase in {KEPT, SWAPPED}:
        return f"have it serve: healthv1 restore {name} --swap; or remove it: healthv1 restore {name} --discard"
    return f"go on with it: healthv1 restore {name} --resume; or undo it: healthv1 restore {name} --abandon"


def nothing_to(found: Restore, what: str) -> RestoreError:
    """Return the refusal of a command that has nothing to work on."""
    if not found.phase:
        return RestoreError(
            Fault(found.host, what, f"healthv1 restore {found.environment} --to latest"), exit_code=BUSY
        )
    target = found.asked.get("text")
    kept = f"A copy of {target} is kept" if found.phase == KEPT else "The former data are kept aside"
    what_is_kept = kept if found.rests else f"A restore to {target} stopped at {found.phase}"
    return RestoreError(Fault(found.host, f"{what} {what_is_kept}.", ways_on(found)), exit_code=BUSY)


def read(program: BackupProgram, question: str = "status") -> Restore:
    """Return what is noted; `kept` as the question measures what is kept as well."""
    document = program.call("restore", question, timeout=300).document or {}
    known = {name: document[name] for name in document if name in Restore.__dataclass_fields__}
    return Restore(program.environment, program.host.name, **known)


def follow(program: BackupProgram, note: Note, since: int = 0) -> Restore:
    """Tell of each step until the host rests or fails; return what it noted last."""
    steps_told = since
    while True:
        status = read(program)
        for step in status.steps[steps_told:]:
            note(f"  {program.host.name}  {step['name']}")
        steps_told = max(steps_told, len(status.steps))
        if not status.active:
            break
        gevent.sleep(LOOK)
    if status.failure:
        step, what = status.failure["step"], status.failure["what"]
        again = f"mend that, then: healthv1 restore {status.environment} --swap"
        hint = again if status.rests else ways_on(status)
        return replace(status, faults=(Fault(status.host, f"{step}: {what}.", hint),))
    if not status.rests:
        return replace(status, faults=(Fault(status.host, f"It was killed at {status.phase}.", ways_on(status)),))
    return status
