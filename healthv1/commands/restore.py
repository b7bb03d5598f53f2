"""What `healthv1 restore` does, without a terminal. The host does the work, step by step, and goes on without us."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from deploys.credentials.master_key import fingerprints
from deploys.operations.change import Change
from deploys.operations.claims import Claim, claims_on
from healthv1.backup import restores
from healthv1.backup.program import DAY, FAILED, NOT_PROVEN, BackupProgram
from healthv1.backup.restores import BUSY, KEPT, Restore
from healthv1.commands import maintenance
from healthv1.errors import Fault, Refused, RestoreError
from healthv1.hosts.scripts import run_script, ssh_hosts
from healthv1.hosts.secrets_in_use import bind_secrets
from healthv1.hosts.session import Session, opened
from healthv1.journal.recording import Recording, recorded
from healthv1.lock.acquire import run_concurrently
from healthv1.lock.holder import Terms
from healthv1.lock.locking import locked
from healthv1.maintenance.notice import notice
from healthv1.plan import Step
from healthv1.rollout import gate
from healthv1.rollout.progress import Progress
from healthv1.signals import sigterm_as_interrupt
from healthv1.verify.maintenance import closed_hosts

READY = 90
"""Seconds for the API to be ready after a swap."""
MESSAGE = "The database is being restored."
STOP_API = "systemctl stop 'health-v1-api@*.service'"
RESTART_API = "systemctl try-restart 'health-v1-api@*.service' || true"  # whether it is ready is tried next
STOPPING = 120.0  # seconds
COPY_UNIT = "health-v1-restore-copy"
Agree = Callable[[Restore], bool]
"""Shows what is there, and asks whether to go on."""


@dataclass
class RestoreAtWork:
    """A command that holds the lock, and that the journal names."""

    session: Session
    program: BackupProgram
    note: Callable[[str], None]
    recording: Recording
    steps: Sequence[Step]

    def end(self, found: Restore) -> Restore:
        self.recording.end_with(self.steps, found.faults)
        self.recording.result = "failed" if found.exit_code == FAILED else self.recording.result
        return found

    def follow(self, *words: str, after: Restore | None = None) -> Restore:
        """Have the host begin, and follow its steps."""
        restores.begin(self.program, *words)
        return restores.follow(self.program, self.note, since=len(after.steps) if after else 0)

    def agreed(self, agree: Agree, found: Restore) -> bool:
        if agree(found):
            return True
        self.recording.end_with((), ())
        self.recording.result = "declined"
        return False


def status(environment: str) -> Restore:
    """Return what is under way or kept."""
    with opened(environment, read_site=False) as session:
        return restores.read(BackupProgram.of(session), "kept")


def restore(environment: str, to: str, backup: str, repository: int, terms: Terms) -> Restore:
    """Restore beside the live data, and prove the copy. The live data are not touched."""
    words = ["--to", to, *(["--backup", backup] if backup else []), "--repository", str(repository)]
    with at_work(environment, f"restore --to {to}", terms, "restore") as running:
        return running.end(with_master_key(running.follow("begin", *words)))


def resume(environment: str, terms: Terms) -> Restore:
    """Go on with a restore or a swap that was killed, or that failed. The host may have ended it without us."""
    with at_work(environment, "restore --resume", terms, "go on", read_site=True) as running:
        status = restores.read(running.program)
        closed = is_closed_by_us(running.session)
        if status.rests and not closed:
            raise restores.nothing_to(status, "No restore is under way.")
        onto = bool(status.asked.get("from"))
        if onto:
            stop_api(running.session)
        ended = status if status.rests else running.follow("resume", after=status)
        if closed and ended.serves and not onto:  # who began that lets visitors in, once it has applied
            restart_api(running)
            ended = open_when_ready(running, ended)
        return running.end(with_master_key(ended))


def abandon(environment: str, agree: Agree, terms: Terms) -> Restore | None:
    """Undo a restore or a swap that is under way; None when `agree` declined."""
    with at_work(environment, "restore --abandon", terms, "abandon", read_site=True) as running:
        status = restores.read(running.program)
        if status.rests:
            raise restores.nothing_to(status, "No restore is under way.")
        if not running.agreed(agree, status):
            return None
        closed = is_closed_by_us(running.session)
        ended = running.follow("abandon", after=status)
        if closed and ended.serves:
            restart_api(running)
            ended = open_when_ready(running, ended)
        return running.end(ended)


def swap(environment: str, agree: Agree, terms: Terms, *, unproven: bool) -> Restore | None:
    """Have the kept data serve, and keep those that served; None when `agree` declined."""
    with at_work(environment, "restore --swap", terms, "swap", read_site=True) as running:
        status = _kept(running, "Nothing is kept to be swapped in.")
        _refuse_onto(status)
        if not unproven:
            refuse_unproven(status)
        if not running.agreed(agree, status):
            return None
        closed = close(running)
        try:
            ended = running.follow("swap", *(["--unproven"] if unproven else []), after=status)
        except RestoreError:  # it was not begun
            if closed:
                maintenance.open_site(running.session, running.note)
            raise
        if ended.serves:
            restart_api(running)
        return running.end(open_when_ready(running, ended) if closed and ended.serves else ended)


def discard(environment: str, agree: Agree, terms: Terms) -> Restore | None:
    """Remove what is kept aside; None when `agree` declined."""
    with at_work(environment, "restore --discard", terms, "discard") as running:
        status = _kept(running, "Nothing is kept.")
        if not running.agreed(agree, status):
            return None
        return running.end(running.follow("discard", after=status))


def copy_out(environment: str, database: str, table: str, terms: Terms) -> Restore:
    """Copy a database, or a table, out of the kept copy into a new database of the live cluster."""
    with at_work(environment, "restore --database", terms, "copy out") as running:
        found, program = _kept(running, "No copy is kept."), running.program
        running.note(f"{program.host.name} copies {table or database or 'the database'} out of {found.folder}")
        words = ("restore", "copy", "--database", database, "--table", table)
        answer = program.call(*words, timeout=DAY, unit=COPY_UNIT)
        copied = program.call("restore", "copied").document or {}
        if answer.code or not copied.get("database"):
            what = copied.get("failure") or f"the program ended with {answer.code}"
            hint = f"mend that, or read there: journalctl -u {COPY_UNIT}"
            raise RestoreError(Fault(program.host.name, f"Nothing was copied: {what}.", hint))
        return running.end(replace(found, copied=copied))


@contextmanager
def at_work(
    environment: str,
    command: str,
    terms: Terms,
    action: str,
    *,
    read_site: bool = False,
    progress: Progress | None = None,
) -> Iterator[RestoreAtWork]:
    """Hold the lock, and write the journal."""
    progress = progress or Progress()
    with sigterm_as_interrupt(), opened(environment, read_site=read_site) as session:
        program = BackupProgram.of(session)
        steps = [Step(program.host.name, "", "Restore", command, (Change("database", program.host.name, action),))]
        with (
            locked(session, command, terms, progress.note),
            recorded(session, command, progress.note, steps) as recording,
        ):
            try:
                yield RestoreAtWork(session, program, progress.note, recording, steps)
            except KeyboardInterrupt:
                progress.note(f"{program.host.name} goes on by itself: healthv1 restore {environment} --status")
                raise


def _kept(running: RestoreAtWork, otherwise: str) -> Restore:
    """Return what is kept, measured. Raises `RestoreError` where nothing is."""
    status = restores.read(running.program, "kept")
    if not status.phase or not status.rests:
        raise restores.nothing_to(status, otherwise)
    return status


def _refuse_onto(found: Restore) -> None:
    """Refuse what was restored out of a lost host's folder: passwords and keys are another host's, an apply follows."""
    if found.asked.get("from"):
        what = f"What is kept was restored out of {found.asked['from']}, which another host left."
        hint = f"healthv1 restore {found.environment} --onto-new-host, as it was begun; or --discard"
        raise RestoreError(Fault(found.host, what, hint), exit_code=BUSY)


def refuse_unproven(found: Restore) -> None:
    faults = found.proven.get("faults", [])
    if found.phase == KEPT and faults:
        what = f"The copy is not proven: {'; '.join(faults)}."
        again = f"healthv1 restore {found.environment} --swap --unproven"
        hint = f"discard it, and restore to an earlier moment; to serve it as it is: {again}"
        raise RestoreError(Fault(found.host, what, hint), exit_code=NOT_PROVEN)


def with_master_key(found: Restore) -> Restore:
    """Compare the master key, which the host never has, with what the copy was sealed with."""
    if found.phase != KEPT or not found.proven.get("master_keys"):
        return found
    proven = {**found.proven}
    try:
        used = bind_secrets(found.environment)
        key = next(secret for secret in used.secrets if secret.key == used.environment.master_key.key)
        known = set(fingerprints(key))
    except Refused as refusal:
        proven["told"] = [*proven["told"], f"the master key could not be compared: {refusal.faults[0].what}"]
        return replace(found, proven=proven)
    unknown = sorted({*proven["master_keys"]} - known)
    proven["master_key_opens"] = not unknown
    if unknown:
        fault = f"it is sealed with the master key {', '.join(unknown)}, which the backend does not hold"
        proven |= {"faults": [*proven["faults"], fault], "holds": False}
    return replace(found, proven=proven)


def _is_readiness(claim: Claim) -> bool:
    return claim.component == "api" and claim.check.claim.endswith(" is ready")


def stop_api(session: Session) -> None:
    """Have nobody write into an empty database, or with the keys that were in it. An apply starts it again."""
    _on_api_hosts(session, STOP_API)


def restart_api(running: RestoreAtWork) -> None:
    """Have the API forget the data keys of what served before: the same number may be another key in these data."""
    _on_api_hosts(running.session, RESTART_API)
    running.note("The API begins anew, with the keys of these data")


def _on_api_hosts(session: Session, script: str) -> None:
    hosts = [host for host in ssh_hosts(session.hosts) if "api" in host.groups]
    run_concurrently(hosts, lambda host: run_script(host, script, STOPPING))


def close(running: RestoreAtWork) -> bool:
    """Keep visitors out. Returns whether we did: a maintenance of somebody else stays as it is, also afterwards."""
    closed = closed_hosts(running.session)
    if any(record.message != MESSAGE for record in closed.values()):
        running.note("Visitors are kept out already: that maintenance is somebody else's, and stays on")
        return False
    maintenance.close_site(running.session, notice(MESSAGE, "", datetime.now(timezone.utc)), running.note)
    running.note("Visitors are kept out")
    return True


def is_closed_by_us(session: Session) -> bool:
    """Whether a swap keeps visitors out: this one, or one whose operator was killed."""
    return any(record.message == MESSAGE for record in closed_hosts(session).values())


def open_when_ready(running: RestoreAtWork, found: Restore) -> Restore:
    """Let visitors in once the API is ready; keep them out, with a fault, when it is not."""
    session, began = running.session, time.monotonic()
    # That it answers, and no more: what the next apply is to change does not keep visitors out.
    due = {host: [claim for claim in claims_on(host) if _is_readiness(claim)] for host in session.hosts}
    broken = gate.failing_claims(session, due, READY, lambda: False)
    if broken:
        faults = [gate.fault(finding) for findings in broken.values() for finding in findings]
        hint = f"healthv1 apply {found.environment}; then: healthv1 maintenance off {found.environment}"
        faults.append(Fault("maintenance", "Visitors are kept out: the API is not ready.", hint))
        return replace(found, faults=(*found.faults, *faults))
    running.note(f"The API is ready after {time.monotonic() - began:.1f} s")
    maintenance.open_site(session, running.note)
    running.note("Visitors are let in")
    return found
