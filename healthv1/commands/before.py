"""What `healthv1 before list` and `put-back` do, without a terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from deploys.operations.change import Change
from healthv1.before import entries, script
from healthv1.before.entries import KeptAside
from healthv1.errors import Fault, HostError
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.scripts import run_script, ssh_hosts
from healthv1.hosts.session import Session, opened
from healthv1.journal.recording import recorded
from healthv1.lock.acquire import run_concurrently
from healthv1.lock.holder import Terms
from healthv1.lock.locking import locked, wait_until_free
from healthv1.plan import Step
from healthv1.rollout.progress import Progress
from healthv1.signals import sigterm_as_interrupt

SCHEMA = 1
TIMEOUT = 60.0  # seconds
COPYING = 1800.0  # seconds: a data directory may be among it


@dataclass(frozen=True)
class BeforeList:
    environment: str
    hosts: dict[str, list[KeptAside]]
    faults: tuple[Fault, ...]

    def as_json(self) -> dict[str, Any]:
        hosts = {name: [entry.as_json() for entry in entries_of_host] for name, entries_of_host in self.hosts.items()}
        faults = [asdict(fault) for fault in self.faults]
        return {"schema": SCHEMA, "environment": self.environment, "hosts": hosts, "faults": faults}


@dataclass(frozen=True)
class PutBack:
    environment: str
    host: str
    entry: KeptAside
    """Its state before the put-back."""
    done: bool = False
    declined: bool = False

    def as_json(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}


def list_(environment: str, limit: tuple[str, ...]) -> BeforeList:
    with opened(environment, limit, read_site=False) as session:
        entries_by_host = _read_entries(session)
        faults = tuple(fault for faults in session.faults.values() for fault in faults)
    return BeforeList(environment, entries_by_host, faults)


def put_back(environment: str, name: str, host: str, agree: Callable[[str, KeptAside], bool], terms: Terms) -> PutBack:
    """Put one entry back. Raises `Refused`, with nothing changed; `HostError` when it did not end."""
    progress = Progress()
    with sigterm_as_interrupt(), opened(environment, (host,) if host else (), read_site=False) as session:
        entries_by_host = _read_entries(session)
        if not entries_by_host:
            session.refuse_faults()
        host_name, entry = entries.choose(environment, name, "", entries_by_host)
        target = session.host(host_name)
        wait_until_free(session, terms, progress.note)
        entry = _inspect(target, entry)
        if entry.nothing_due:
            return PutBack(environment, host_name, entry)
        if not agree(host_name, entry):
            return PutBack(environment, host_name, entry, declined=True)
        with (
            locked(session, "before put-back", terms, progress.note),
            recorded(session, f"before put-back {entry.id}", progress.note, [_step(host_name, entry)]) as run,
        ):
            run_script(target, script.put_back(_inspect(target, entry)), COPYING)
            run.end_with([_step(host_name, entry)], ())
    return PutBack(environment, host_name, entry, done=True)


def _read_entries(session: Session) -> dict[str, list[KeptAside]]:
    def ask(host: Host) -> list[KeptAside] | HostError:
        try:
            return entries.read(run_script(host, script.list_entries(), TIMEOUT).splitlines())
        except HostError as error:
            return error

    answers = run_concurrently(ssh_hosts(session.hosts), ask)
    for host, answer in answers.items():
        if isinstance(answer, HostError):
            session.fail(host, *answer.faults)
    return {host.name: answer for host, answer in answers.items() if not isinstance(answer, HostError)}


def _inspect(host: Host, entry: KeptAside) -> KeptAside:
    (inspected,) = entries.read(run_script(host, script.inspect_entry(entry.id), COPYING).splitlines())
    return inspected


def _step(host: str, entry: KeptAside) -> Step:
    changes = [Change("file", path, "put back", entry.thing) for path in entry.due]
    changes += [Change("entry", entry.id, "run", "what it takes besides")] * entry.does_something
    return Step(host, "", "Before", "Put back", tuple(changes))
