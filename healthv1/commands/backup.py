"""What each `healthv1 backup` command does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from healthv1.backup.exposure import Checked, checked
from healthv1.backup.program import DAY, DONE, FAILED, NOT_PROVEN, BackupProgram, ProgramAnswer
from healthv1.backup.undeletion import Undeleted, UndeleteWish
from healthv1.errors import Fault, HostError, Refused
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.scripts import ssh_hosts
from healthv1.hosts.session import Session, opened
from healthv1.journal.recording import record, recorded
from healthv1.plan import Step

SCHEMA = 1
Note = Callable[[str], None]
NOW_UNIT, PROOF_UNIT = "health-v1-backup-now", "health-v1-backup-proof"


@dataclass(frozen=True)
class RepositoryState:
    """One repository: the backups in it, or what reading it back found."""

    repository: int
    folder: str
    faults: tuple[str, ...] = ()
    backups: tuple[dict[str, Any], ...] = ()
    """By label, kind, started, stopped (seconds since 1970), size and stored (bytes)."""
    proof: dict[str, Any] | None = None
    """What reading it back found."""


@dataclass(frozen=True)
class Backups:
    environment: str
    host: str
    repositories: tuple[RepositoryState, ...]
    faults: tuple[Fault, ...] = ()

    @property
    def holds(self) -> bool:
        return not self.faults and not any(repository.faults for repository in self.repositories)

    def as_json(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}


def now(environment: str, note: Note, *, full: bool) -> Backups:
    """Make a backup, and read all backups back."""
    with _program(environment, f"backup now{' --full' * full}", note) as (program, run):
        note(f"{program.host.name} backs up; when this is interrupted, it goes on")
        answer = program.call("run", "full" if full else "incr", timeout=DAY, unit=NOW_UNIT)
        return run.end(_proven(program, answer))


def verify(environment: str, note: Note) -> Backups:
    """Read all backups and all WAL back."""
    with _program(environment, "backup verify", note) as (program, run):
        note(f"{program.host.name} reads its backups back")
        return run.end(_proven(program, program.call("prove", timeout=DAY, unit=PROOF_UNIT)))


def list_(environment: str) -> Backups:
    """Return the backups that are kept."""
    with opened(environment, read_site=False) as session:
        program = BackupProgram.of(session)
        answer = program.call("list")
        _refuse_failure(program, answer)
    rows = tuple(
        RepositoryState(
            row["repository"], row["folder"], (row["fault"],) if row["fault"] else (), tuple(row["backups"])
        )
        for row in answer.document
    )
    return Backups(environment, program.host.name, rows)


def check(environment: str) -> Checked:
    """Try what backups depend on: each repository, a WAL segment's way into it, the claims; and what a thief could."""
    with opened(environment, read_site=False) as session:
        program = BackupProgram.of(session)
        answer, exposed = program.call("check", timeout=300), program.call("exposed", timeout=300)
        _refuse_failure(program, answer)
        _refuse_failure(program, exposed, _update(environment))
    return checked(environment, program.host.name, answer.document, exposed.document)


def undelete(environment: str, wish: UndeleteWish, agree: Callable[[Undeleted], bool], note: Note) -> Undeleted:
    """Make current again what was current in the bucket at a moment. Raises `Refused`, with nothing changed."""
    # Imported when it is needed: boto3 takes 0.2 s, which every command would wait for.
    from healthv1.backup import undeleting  # noqa: PLC0415

    to = undeleting.moment(wish.to)
    with opened(environment, read_site=False) as session:
        settings = undeleting.repository(_database_host(session), wish.repo, environment)
        folder = wish.folder or _folder(session, wish.repo)
        undeleting.refuse_outside(folder, settings)
        with undeleting.bucket_of(settings) as bucket:
            note(f"Reading the versions in {bucket.place}, below {folder}")
            undeletion = undeleting.look(bucket, folder, to)
            result = Undeleted(environment, settings.bucket, folder, f"{to:%Y-%m-%d %H:%M:%S} UTC", undeletion)
            if wish.preview or not undeletion.due:
                return result
            if not agree(result):
                return replace(result, declined=True)
            step = Step("", "", "Backup", "Make old versions current again", (result.change(),))
            command = f"backup undelete --to {result.to}"
            with recorded(session, command, note, [step], needed=False) as run:
                copied, faults = undeleting.undelete(bucket, undeletion, note)
                run.end_with([step], faults)
    return replace(result, copied=copied, faults=faults)


def _database_host(session: Session) -> Host:
    """Return the database host, also when it cannot be reached: its settings are all that is needed of it."""
    hosts = [host for host in session.all_hosts if "database" in host.groups]
    if not hosts:
        what = "No host is in database."
        raise Refused(Fault(f"inventories/{session.environment}.py", what, "add the database's host"))
    return hosts[0]


def _folder(session: Session, number: int) -> str:
    """Ask the host where it writes to, whatever is the matter with other hosts. Raises `HostError`."""
    host = _database_host(session)
    if host not in ssh_hosts(session.hosts):
        what = "Where in the bucket its backups lie is not known while it does not answer."
        hint = "add --folder FOLDER, as the list of backups showed it earlier"
        raise HostError(*session.faults.get(host.name, ()), Fault(host.name, what, hint))
    program = BackupProgram(session.environment, host)
    answer = program.call("folders")
    _refuse_failure(program, answer, _update(session.environment))
    return str(answer.document[number - 1])


def _update(environment: str) -> str:
    return f"bring the host's program up to date: healthv1 apply {environment}"


def mark(environment: str, name: str, note: Note) -> dict[str, Any]:
    """Make a restore point; return its name, position and time."""
    with _program(environment, f"backup mark {name}", note) as (program, run):
        answer = program.call("mark", name)
        _refuse_failure(program, answer, f"choose another name, or see: healthv1 verify {environment}")
        run.result = "done"
        made: dict[str, Any] = answer.document
        return made


@dataclass
class JournalledCommand:
    result: str = "failed"

    def end(self, backups: Backups) -> Backups:
        self.result = "done" if backups.holds else "not every backup is proven"
        return backups


@contextmanager
def _program(environment: str, command: str, note: Note) -> Iterator[tuple[BackupProgram, JournalledCommand]]:
    """Open the program for a command that the journal names."""
    began, run = time.monotonic(), JournalledCommand()
    with opened(environment, read_site=False) as session:
        program = BackupProgram.of(session)
        try:
            yield program, run
        finally:
            record(session, command, note, run.result, time.monotonic() - began)


def _proven(program: BackupProgram, answer: ProgramAnswer) -> Backups:
    """Return what was noted by a run in a unit of its own."""
    noted = program.call("noted")
    _refuse_failure(program, noted)
    rows = tuple(
        RepositoryState(proof["repository"], proof["folder"], tuple(proof["faults"]), proof=proof)
        for proof in noted.document["repositories"]
    )
    faults = []
    if answer.code == FAILED:
        failure = noted.document.get("failure") or "; ".join(answer.sentences) or "it did not say why"
        hint = f"healthv1 backup check {program.environment}"
        faults.append(Fault(program.host.name, f"No backup was made: {failure}.", hint))
    elif answer.code not in {DONE, NOT_PROVEN}:
        hint = f"read there: journalctl -u {NOW_UNIT} -u {PROOF_UNIT}"
        faults.append(Fault(program.host.name, f"The program ended with {answer.code}.", hint))
    return Backups(program.environment, program.host.name, rows, faults=tuple(faults))


def _refuse_failure(program: BackupProgram, answer: ProgramAnswer, hint: str = "") -> None:
    if answer.code == FAILED or answer.document is None:
        what = "; ".join(answer.sentences[-2:]) or f"the program ended with {answer.code}"
        raise HostError(Fault(program.host.name, f"{what}.", hint or f"healthv1 backup check {program.environment}"))
