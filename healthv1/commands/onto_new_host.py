"""What `healthv1 restore ENV --onto-new-host` does, without a terminal: deploy, restore, serve, verify.

Each step is there to be seen on the host: killed anywhere, the same command goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from healthv1.backup import lost, restores
from healthv1.backup.onto_wish import OntoWish
from healthv1.backup.program import BackupProgram
from healthv1.backup.restores import KEPT, SWAPPED, Restore
from healthv1.commands import lost_host
from healthv1.commands import restore as work
from healthv1.commands import verify as verifying
from healthv1.commands.apply import apply
from healthv1.commands.restore import RestoreAtWork
from healthv1.commands.secrets import restore as secrets_restore
from healthv1.commands.verify import Report
from healthv1.drill import program as drills
from healthv1.drill.signatures import Pins
from healthv1.errors import Fault, HostError, Refused, RestoreError
from healthv1.hints import with_environment
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.session import Session
from healthv1.lock.holder import Terms
from healthv1.lock.locking import locked_session
from healthv1.plan import Plan
from healthv1.rollout.progress import Progress

SCHEMA = 1
COMMAND = "restore --onto-new-host"
RENEWED = 1200
"""Seconds after which visitors are kept out anew: the notice ends by itself, after an hour."""
Agree = Callable[[Plan], bool]


@dataclass(frozen=True)
class MovedOnto:
    """What came of it."""

    environment: str
    host: str = ""
    restored: Restore | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    """By phase."""
    rto: float = 0
    """Seconds from the command to the moment in which visitors were let in."""
    begun: float = 0
    """When a killed run began to restore, in seconds since 1970; 0: none had."""
    report: Report | None = None
    left_to_do: tuple[str, ...] = ()
    """By hand."""
    faults: tuple[Fault, ...] = ()
    declined: bool = False

    @property
    def exit_code(self) -> int:
        if self.declined or self.faults:
            return (self.restored.exit_code if self.restored else 0) or 1
        return 0 if self.report is None or self.report.holds else 1

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "environment": self.environment,
            "host": self.host,
            "seconds": self.seconds,
            "rto": self.rto,
            "left_to_do": self.left_to_do,
            "declined": self.declined,
            "restored": self.restored.as_json() if self.restored else None,
            "verified": self.report.as_json() if self.report else None,
            "faults": [asdict(fault) for fault in self.faults],
        }


@dataclass
class Move:
    """One run of the command."""

    environment: str
    wish: OntoWish
    terms: Terms
    progress: Progress = field(default_factory=Progress)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[phase] = round(self.seconds.get(phase, 0) + time.monotonic() - began, 1)

    def note(self, sentence: str) -> None:
        self.progress.note(sentence)


def onto_new_host(environment: str, wish: OntoWish, agree: Agree, terms: Terms) -> MovedOnto:
    """Deploy bare hosts, have the lost database host's data serve there, and verify it."""
    move = Move(environment, wish, terms)
    with locked_session(environment, COMMAND, terms, move.note) as session:
        program = BackupProgram.of(session)
        host = program.host
        begun = _refuse_ahead(session, program, move)
        with move.timed("secrets"):
            _bring_back_secrets(move)
        with move.timed("deploy"):
            if not begun and not _applied(move, agree):
                return MovedOnto(environment, host.name, declined=True)
        session.check_lock()
        restored = _restored(move)
        if restored.faults or not restored.serves or restored.phase == KEPT:
            return MovedOnto(environment, host.name, restored, move.seconds, faults=restored.faults)
        with move.timed("apply"):
            _applied_again(move)
        ended = _opened(move, restored)
        rto = round(move.progress.seconds(), 1)
        if ended.faults:
            return MovedOnto(environment, host.name, restored, move.seconds, rto, faults=ended.faults)
        left_to_do = _left_to_do(session, host, restored)
    with move.timed("verify"):
        report = verifying.verify(environment, ())
    return MovedOnto(environment, host.name, restored, move.seconds, rto, begun, report, left_to_do)


def _refuse_ahead(session: Session, program: BackupProgram, move: Move) -> float:
    """Raise `RestoreError` with all that stands against it, before anything is changed.

    Returns when a killed run began to restore: what it left is gone on with, and nothing is deployed before. 0: none.
    """
    lost_host.refuse_without_repository(program.host)
    place, wish = lost_host.standing(program), move.wish
    again = wish.command(move.environment, folder=wish.folder)
    faults = [
        *lost_host.row_faults(program.host.name, place, move.environment),
        *lost_host.off_faults(session, program.host, wish.powered_off, again),
        *([] if wish.escrow else lost_host.secret_faults(move.environment)),
    ]
    if faults:
        raise RestoreError(*faults)
    if lost_host.is_under_way(place) and (place["onto"]["served"] or restores.read(program).phase):
        return float(place["onto"]["began"])
    return 0


def _bring_back_secrets(move: Move) -> None:
    wish = move.wish
    if wish.escrow and wish.identity and lost_host.secret_faults(move.environment):
        names = secrets_restore.restore(move.environment, wish.escrow, wish.identity)
        move.note(f"Brought back out of escrow: {', '.join(names)}")
    Refused.unless(lost_host.secret_faults(move.environment))


def _applied(move: Move, agree: Agree) -> bool:
    """Apply; return False when `agree` declined. Raises what an apply ended with."""
    applied = apply(move.environment, (), agree, move.progress, terms=move.terms)
    if applied.interrupted:
        raise KeyboardInterrupt
    HostError.unless(with_environment(fault, move.environment) for fault in applied.faults)
    return not applied.declined


def _applied_again(move: Move) -> None:
    """Have the copy's roles and schema be what the settings say.

    Its roles have the passwords of the lost host. Where the backend has others, nobody who plans can log in: what else
    is due is seen once the roles are right, and no apply makes what its plan did not name. So there may be two.
    """
    try:
        _applied(move, lambda _plan: True)
    except HostError as error:
        move.note(
            f"The roles are as the backend has them by now, so what else is due can be seen: {error.faults[0].what}"
        )
        _applied(move, lambda _plan: True)


def _restored(move: Move) -> Restore:
    """Have the lost host's data serve on the new one; go on with what a killed run began."""
    with work.at_work(
        move.environment, COMMAND, move.terms, "take a lost host's place", read_site=True, progress=move.progress
    ) as running:
        running.session.refuse_faults()
        place, status = lost_host.standing(running.program), restores.read(running.program)
        if lost_host.is_under_way(place) and place["onto"]["served"] and not status.phase:
            # All that is left is to apply again.
            known = {name: place["onto"].get(name, {}) for name in ("asked", "proven")}
            return running.end(replace(status, **known))
        work.close(running)
        work.stop_api(running.session)
        with move.timed("restore"):
            copy = _copied(move, running)
        if copy.failure or copy.faults or copy.phase not in {KEPT, SWAPPED}:
            return running.end(copy)
        with move.timed("swap"):
            return running.end(_swapped(move, running, copy))


def _copied(move: Move, running: RestoreAtWork) -> Restore:
    """Return the copy, proven, beside the empty data; or what a killed run came to since."""
    status = restores.read(running.program)
    if status.phase and not status.asked.get("from"):
        raise RestoreError(Fault(status.host, "Another restore is kept or under way.", restores.ways_on(status)))
    wish = move.wish
    if status.phase and wish.folder.strip("/") not in status.asked["from"]:
        raise RestoreError(
            Fault(status.host, f"What was begun is out of {status.asked['from']}.", restores.ways_on(status))
        )
    if not status.phase:
        again = wish.command(move.environment, powered_off=wish.powered_off)
        folder = lost.choose(lost_host.folders(running.program)[0], wish.folder, wish.repository, again)
        move.note(f"{folder} is restored")
        lost_host.send_keys(running.session, running.program, folder.path)
        words = ["--to", wish.to, "--from", folder.path, "--repository", str(folder.repository)]
        status = running.follow("begin", *words, *(["--backup", wish.backup] if wish.backup else []))
    elif not status.rests:
        lost_host.send_keys(running.session, running.program, status.asked["from"])
        status = running.follow("resume", after=status)
    return work.with_master_key(status)


def _swapped(move: Move, running: RestoreAtWork, copy: Restore) -> Restore:
    """Have the copy serve, and remove what it replaced: a database that held nobody's rows."""
    if copy.phase == KEPT:
        if not move.wish.unproven:
            work.refuse_unproven(copy)
        lost_host.await_silence(running.session, running.program, copy, move.note)
        if move.seconds["restore"] > RENEWED:
            work.close(running)
        copy = running.follow("swap", *(["--unproven"] if move.wish.unproven else []), after=copy)
    if copy.phase == SWAPPED and copy.swap.get("empty") and not copy.failure:
        ended = running.follow("discard", after=copy)
        move.note("The empty data that served here are removed: no row of a patient or a user was in them")
        return copy if not ended.faults else ended
    return copy


def _opened(move: Move, restored: Restore) -> Restore:
    """Let visitors in once the API is ready, and have the host note that all is done."""
    with work.at_work(
        move.environment, COMMAND, move.terms, "let visitors in", read_site=True, progress=move.progress
    ) as running:
        ended = restored
        if work.is_closed_by_us(running.session):
            ended = work.open_when_ready(running, restored)
        if not ended.faults:
            running.program.call("restore", "end")
        return running.end(ended)


def _left_to_do(session: Session, host: Host, restored: Restore) -> tuple[str, ...]:
    stack = lost_host.stack_of(session, host)
    edges = ", ".join(
        str(edge.data.get("ssh_hostname") or edge.name) for edge in session.hosts if "edge" in edge.groups
    )
    keep_days = lost_host.backup_of(session, host).keep_days
    sentences = [f"DNS: let {', '.join(stack.names)} lead to {edges}."]
    folder = restored.asked.get("from")
    if folder:
        sentences.append(
            f"The lost host's folder {folder} stays in the repository as it was. Nothing of ours removes it:"
            f" do that at the provider in {keep_days} days."
        )
    sentences += _other_signer(session, host)
    return tuple(sentences)


def _other_signer(session: Session, host: Host) -> list[str]:
    """Return what to do about the lost host's key, which is pinned for its drills."""
    pins = Pins(session.environment, host.name, str(host.data.get("ssh_known_hosts_file") or ""))
    key = str(drills.ask(session, host, "drill", "key")["key"])
    if not pins.key or pins.key.split()[:2] == key.split()[:2]:
        return []
    sentence = f"Drills: this host signs with another key. Remove the line of {pins.principal} from {pins.file}, then"
    return [f"{sentence}: healthv1 apply {session.environment}"]
