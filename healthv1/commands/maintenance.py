"""What `healthv1 maintenance on` and `off` do, without a terminal. A command that holds the lock calls the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from deploys.facts.maintenance import MaintenanceRecord
from deploys.nginx.settings import Nginx
from deploys.operations.change import Change
from healthv1.errors import Fault, HostError, Refused
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.scripts import run_script, ssh_hosts
from healthv1.hosts.session import Session, opened
from healthv1.journal.recording import recorded
from healthv1.lock.acquire import run_concurrently
from healthv1.lock.holder import Terms
from healthv1.lock.locking import locked
from healthv1.maintenance import script
from healthv1.maintenance.notice import Notice, notice
from healthv1.maintenance.script import EdgeState
from healthv1.output.redaction import redactor
from healthv1.plan import Step
from healthv1.rollout.progress import Progress
from healthv1.signals import sigterm_as_interrupt
from healthv1.workspace import provenance

SCHEMA = 1
TIMEOUT = 30.0  # seconds
EDGE = "edge"
Note = Callable[[str], None]


@dataclass(frozen=True)
class SwitchedSite:
    environment: str
    before: dict[str, MaintenanceRecord | None]
    """By edge host: the maintenance that was on; None where visitors were let in."""
    now: MaintenanceRecord | None

    @property
    def changed(self) -> bool:
        return any(not _is_same(record, self.now) for record in self.before.values())

    def as_json(self) -> dict[str, Any]:
        hosts = {name: {"before": _public(record), "now": _public(self.now)} for name, record in self.before.items()}
        return {"schema": SCHEMA, "environment": self.environment, "changed": self.changed, "hosts": hosts}


def on(environment: str, message: str, until: str, limit: tuple[str, ...], terms: Terms) -> SwitchedSite:
    """Close the website to visitors. Raises `Refused`, with every edge host as it was before."""
    announced = notice(redactor.redact(message), until, datetime.now(timezone.utc))
    progress = Progress()
    with sigterm_as_interrupt(), opened(environment, limit or (EDGE,), read_site=False) as session:
        return close_site(session, announced, progress.note, terms)


def off(environment: str, limit: tuple[str, ...], terms: Terms) -> SwitchedSite:
    """Let visitors in again. Raises `Refused`, with every edge host as it was before."""
    progress = Progress()
    with sigterm_as_interrupt(), opened(environment, limit or (EDGE,), read_site=False) as session:
        return open_site(session, progress.note, terms)


def close_site(session: Session, announced: Notice, note: Note, terms: Terms = Terms()) -> SwitchedSite:  # noqa: B008 - a value
    """Close the website on all edge hosts of the session, or on none. Who holds the lock already keeps it.

    It ends by itself: whoever needs longer calls this again, with a later time. Requests under way go on.
    """
    record = MaintenanceRecord(
        announced.message,
        provenance.name(),
        int(datetime.now(timezone.utc).timestamp()),
        int(announced.until.timestamp()),
    )
    ours = _addresses(session.all_hosts)
    return _switch(session, record, lambda host: script.close(_port(host), announced, record, ours), note, terms)


def open_site(session: Session, note: Note, terms: Terms = Terms()) -> SwitchedSite:  # noqa: B008 - a value
    """Open the website on all edge hosts of the session, or on none. Who holds the lock already keeps it."""
    return _switch(session, None, lambda host: script.put(_port(host), ""), note, terms)


def _switch(
    session: Session, record: MaintenanceRecord | None, text: Callable[[Host], str], note: Note, terms: Terms
) -> SwitchedSite:
    verb = "on" if record else "off"
    command = f"maintenance {verb}"
    edges = _edges(session, verb, note)
    with locked(session, command, terms, note):
        states = _look(session, edges, record)
        before = {host.name: state.record for host, state in states.items()}
        due = [
            host for host, state in states.items() if state.closed != bool(record) or not _is_same(state.record, record)
        ]
        steps = [_step(host, record) for host in due]
        with recorded(session, command, note, steps) as run:
            if due:
                session.check_lock()
                _switch_all({host: states[host] for host in due}, text, verb, session.environment)
            run.end_with(steps, ())
            run.result = run.result if due else "nothing to do"
    return SwitchedSite(session.environment, before, record)


def _switch_all(states: Mapping[Host, EdgeState], text: Callable[[Host], str], verb: str, environment: str) -> None:
    """Switch all or none. Raises `HostError` once those that were switched are put back."""
    try:
        faults = _faults(_run_on(states, text))
    except BaseException:
        _put_back(states)
        raise
    if faults:
        hint = f"see to that, then: healthv1 maintenance {verb} {environment}"
        raise HostError(*faults, *_told_of_put_back(states, _put_back(states), hint))


def _put_back(states: Mapping[Host, EdgeState]) -> list[Fault]:
    """Have each host as it was; return the faults of those that cannot be. It may have switched without an answer."""
    return _faults(_run_on(states, lambda host: script.put(_port(host), states[host].place)))


def _told_of_put_back(states: Mapping[Host, EdgeState], faults: list[Fault], hint: str) -> list[Fault]:
    lost = {fault.where for fault in faults}
    sentences = []
    if back := [host for host in states if host.name not in lost]:
        words = {False: "visitors are let in", True: "the maintenance of before is on"}
        what = "; ".join(f"{host.name} is as it was: {words[bool(states[host].place)]}" for host in back)
        sentences.append(Fault("maintenance", f"{what}.", hint))
    sentences += [Fault(fault.where, f"It could not be put back: {fault.what}", hint) for fault in faults]
    return sentences


def _run_on(hosts: Iterable[Host], text: Callable[[Host], str]) -> dict[Host, str | HostError]:
    def run(host: Host) -> str | HostError:
        try:
            return run_script(host, text(host), TIMEOUT)
        except HostError as error:
            return error

    return run_concurrently(hosts, run)


def _faults(answers: Mapping[Host, str | HostError]) -> list[Fault]:
    return [fault for answer in answers.values() if isinstance(answer, HostError) for fault in answer.faults]


def _edges(session: Session, verb: str, note: Note) -> list[Host]:
    """Return the session's edge hosts. Raises `Refused` where one of them has a fault, or there is none."""
    edges = [host for host in ssh_hosts(session.hosts) if EDGE in host.groups]
    names = {host.name for host in session.all_hosts if EDGE in host.groups}
    faults = [fault for name, faults in session.faults.items() if name in names for fault in faults]
    if faults:
        raise HostError(*faults, *_way_without(session, edges, verb))
    if not edges:
        what = "None of these hosts is an edge host: visitors reach others."
        raise Refused(Fault(f"maintenance of {session.environment}", what, f"edge hosts: {', '.join(sorted(names))}"))
    for name in sorted(names - {host.name for host in edges}):
        note(f"{name} is left as it is: visitors who reach it are answered as before")
    return edges


def _way_without(session: Session, edges: list[Host], verb: str) -> list[Fault]:
    if not edges:
        return []
    limits = " ".join(f"--limit {host.name}" for host in edges)
    hint = f"to go on without {', '.join(session.faults)}: healthv1 maintenance {verb} {session.environment} {limits}"
    return [Fault(f"maintenance of {session.environment}", "No host was switched.", hint)]


def _look(session: Session, edges: list[Host], record: MaintenanceRecord | None) -> dict[Host, EdgeState]:
    """Return what each says of itself. Raises `HostError` where one cannot be switched; nothing was changed."""
    answers = _run_on(edges, lambda host: script.look(_port(host)))
    HostError.unless(_faults(answers))
    states = {host: EdgeState.read(str(answer)) for host, answer in answers.items()}
    faults = []
    for host, state in states.items():
        if not state.knows and (record or state.record):
            what = "Its website does not know maintenances yet, or Nginx does not answer."
            faults.append(Fault(host.name, what, f"healthv1 apply {session.environment}"))
        elif record and record.until <= state.now:
            ahead = datetime.fromtimestamp(state.now, timezone.utc)
            what = f"By its clock it is {ahead:%Y-%m-%d %H:%M UTC}: the maintenance would be over."
            faults.append(
                Fault(host.name, what, "set its clock, or give a later --until: healthv1 maintenance on --help")
            )
    HostError.unless(faults)
    return states


def _port(host: Host) -> int:
    settings = host.data.get("nginx")
    return settings.status_port if isinstance(settings, Nginx) else Nginx().status_port


def _addresses(hosts: Iterable[Host]) -> list[str]:
    """Return the names and addresses of our hosts, as the inventory has them."""
    keys = ("private_address", "ssh_hostname", "address6")
    return sorted({str(value) for host in hosts for value in (host.name, *map(host.data.get, keys)) if value})


def _step(host: Host, record: MaintenanceRecord | None) -> Step:
    if record is None:
        return Step(host.name, "", "Maintenance", "Let visitors in", (Change("website", "to visitors", "open"),))
    changes = (Change("website", f"until {record.ends}", "close"), Change("message", record.message, "show"))
    return Step(host.name, "", "Maintenance", "Keep visitors out", changes)


def _is_same(one: MaintenanceRecord | None, other: MaintenanceRecord | None) -> bool:
    """Whether visitors are told the same."""
    if one is None or other is None:
        return one is other
    return (one.message, one.until) == (other.message, other.until)


def _public(record: MaintenanceRecord | None) -> dict[str, Any]:
    if record is None:
        return {"state": "off"}
    times = {name: _iso(getattr(record, name)) for name in ("since", "until")}
    return {"state": "on", "message": record.message, "by": record.by, **times}


def _iso(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment, timezone.utc):%Y-%m-%dT%H:%M:%SZ}" if moment else ""
