"""What `healthv1 drill show` and `drill now` do, without a terminal."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gevent

from deploys import this_host
from deploys.backup.settings import Backup
from deploys.environment.settings import Environment
from healthv1.drill import evidence, program
from healthv1.drill.escrowed import EscrowedSecrets, Opening, opening
from healthv1.drill.evidence import DrillEvidence, HostEvidence, Judge
from healthv1.drill.signatures import Pins
from healthv1.errors import Fault, HostError, Refused
from healthv1.hints import with_environment
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.session import Session, opened
from healthv1.journal.local import OperatorCopy
from healthv1.journal.recording import record
from healthv1.lock.acquire import run_concurrently
from healthv1.rollout.progress import Progress
from healthv1.secrets import age, age_header
from healthv1.workspace import provenance

SCHEMA = 1
PAUSE = 2.0  # seconds
REPORTED = 30.0
"""Seconds after which it is said that a drill goes on."""


@dataclass(frozen=True)
class ShownDrills:
    environment: str
    hosts: tuple[HostEvidence, ...]
    faults: tuple[Fault, ...] = ()

    @property
    def believed(self) -> bool:
        return not self.faults and all(host.believed for host in self.hosts)

    def as_json(self, last: int = 0) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "environment": self.environment,
            "hosts": {host.host: host.as_json(last) for host in self.hosts},
            "faults": [asdict(fault) for fault in self.faults],
        }


@dataclass(frozen=True)
class RanDrill:
    """A drill that was asked for, and what came of it."""

    evidence: HostEvidence
    drill: DrillEvidence
    opening: Opening | None = None
    """Of the data with the master key out of escrow; None where it was not tried."""

    @property
    def result(self) -> str:
        """Return what came of it: "passed", or another word of the evidence."""
        result = str(self.drill.content.get("result"))
        return "escrow does not open" if self.opening and not self.opening.holds else result

    def as_json(self) -> dict[str, Any]:
        opened_data = asdict(self.opening) if self.opening else None
        verified = {"verified": self.evidence.believed, "faults": list(self.evidence.faults)}
        return {"result": self.result, **verified, "drill": self.drill.as_json(), "master_key": opened_data}


@dataclass(frozen=True)
class RanDrills:
    environment: str
    drills: tuple[RanDrill, ...]
    faults: tuple[Fault, ...] = ()

    def as_json(self) -> dict[str, Any]:
        drills = {drill.evidence.host: drill.as_json() for drill in self.drills}
        faults = [asdict(fault) for fault in self.faults]
        return {"schema": SCHEMA, "environment": self.environment, "hosts": drills, "faults": faults}


def show(environment: str, limit: tuple[str, ...]) -> ShownDrills:
    """Read and judge the evidence of all drills. Raises `Refused` where nothing is backed up."""
    progress = Progress()
    with opened(environment, limit, read_site=False) as session:
        hosts = _chosen(session)
        judged = _on_each(session, hosts, lambda host: _judged(session, host))
        shown = ShownDrills(environment, tuple(judged.values()), _faults(session))
        result = "verified" if shown.believed else "not verified"
        record(session, "drill show", progress.note, result, progress.seconds(), drills=_heads(shown.hosts))
    return shown


def now(environment: str, limit: tuple[str, ...], escrow: Path | None, identity: Path | None) -> RanDrills:
    """Have each host that restores backups run a drill, and follow it.

    + escrow, identity: use what this escrow file holds, and nothing of the host's.

    Raises `Refused` where nothing is backed up, and when the escrow file cannot be used.
    """
    progress = Progress()
    escrowed = EscrowedSecrets.read(escrow, identity, environment) if escrow and identity else None
    with opened(environment, limit, read_site=False) as session:
        hosts = _chosen(session)
        requests = {host: _request(session, host, escrowed, identity, progress) for host in hosts}
        try:
            ran = _on_each(session, hosts, lambda host: _ran(session, host, requests[host], escrowed, progress))
        except KeyboardInterrupt:
            progress.note(f"What began goes on there. Once it has ended: healthv1 drill show {environment}")
            raise
        drills = RanDrills(environment, tuple(ran.values()), _faults(session))
        results = ", ".join(f"{drill.evidence.host}: {drill.result}" for drill in drills.drills) or "not tried"
        heads = _heads(drill.evidence for drill in drills.drills)
        record(session, "drill now", progress.note, results, progress.seconds(), drills=heads)
    return drills


def _chosen(session: Session) -> list[Host]:
    """Return the hosts that restore backups, within --limit. Raises `Refused` when none does, or none answers."""
    if not any(program.is_backed_up(host) for host in session.all_hosts):
        session.refuse_faults()
        hint = "set backup = Backup(repository=…) in group_data; docs/backup.md"
        raise Refused(Fault(session.environment, "No host of it is backed up: there is nothing to restore.", hint))
    asked = [host for host in session.all_hosts if host in session.hosts or host.name in session.faults]
    chosen = program.of_drills(asked)
    hosts = [host for host in chosen if host in session.hosts]
    if not hosts:
        session.refuse_faults()
        names = " or ".join(host.name for host in program.of_drills(session.all_hosts))
        raise Refused(Fault(session.environment, "No chosen host restores backups.", f"choose {names}"))
    return hosts


def _on_each(session: Session, hosts: list[Host], work: Any) -> dict[Host, Any]:
    """Return what `work` returned, without the hosts where it failed: these have faults then."""

    def guarded(host: Host) -> Any:
        try:
            return work(host)
        except HostError as error:
            session.fail(host, *error.faults)
            return None

    return {host: answer for host, answer in run_concurrently(hosts, guarded).items() if answer is not None}


def _judged(session: Session, host: Host) -> HostEvidence:
    pins = Pins(session.environment, host.name, str(host.data.get("ssh_known_hosts_file") or ""))
    remembered = evidence.remembered(OperatorCopy(session.environment).lines(), host.name)
    return Judge(pins.key, pins.verifies, remembered).judge(host.name, program.ask(session, host, "drill", "show"))


def _request(
    session: Session, host: Host, escrowed: EscrowedSecrets | None, identity: Path | None, progress: Progress
) -> str:
    """Return what the host's program reads: a secret, with an escrow file."""
    request: dict[str, Any] = {"by": provenance.name()}
    if escrowed and identity:
        with session.on(host):
            settings = this_host.settings(Backup, this_host.database())
        request["keys"] = escrowed.repository_keys(settings)
        if settings.export:
            request["export"] = _opened_export(session, host, identity, progress)
    return json.dumps(request)


def _opened_export(session: Session, host: Host, identity: Path, progress: Progress) -> dict[str, str]:
    """Return what opens the newest export, and nothing else; nothing where the identity does not open it."""
    try:
        newest = program.ask(session, host, "drill", "export")
        header, key = age_header.resealed(base64.b64decode(newest["header"]), identity.read_text().split())
    except HostError as error:
        progress.note(f"{host.name}: the newest export is not restored: {error.faults[0].what}")
        return {}
    except age.AgeError as error:
        progress.note(f"{host.name}: {newest['name']}, the newest export, is not restored: {error}.")
        return {}
    return {"name": newest["name"], "header": base64.b64encode(header).decode(), "identity": key}


def _ran(session: Session, host: Host, request: str, escrowed: EscrowedSecrets | None, progress: Progress) -> RanDrill:
    before = int(program.ask(session, host, "drill", "ask", stdin=request)["number"])
    progress.note(f"{host.name}: the newest backup is restored into a throwaway instance")
    _follow(session, host, progress)
    judged = _judged(session, host)
    drill = judged.newest
    if drill is None or drill.number <= before:
        why = "see why, on that host: journalctl -u health-v1-drill.service"
        raise HostError(Fault(host.name, "The drill left no evidence.", why))
    return RanDrill(judged, drill, _opening(session, host, drill.content, escrowed) if escrowed else None)


def _follow(session: Session, host: Host, progress: Progress) -> None:
    """Wait until the drill has ended. Raises `HostError` when the host is lost meanwhile: the drill is not."""
    waited = 0.0
    try:
        while program.ask(session, host, "drill", "state")["active"]:
            gevent.sleep(PAUSE)
            waited += PAUSE
            if waited % REPORTED < PAUSE:
                progress.note(f"{host.name}: the drill goes on")
    except HostError as error:
        hint = f"once it has ended: healthv1 drill show {session.environment}"
        raise HostError(*error.faults, Fault(host.name, "The drill goes on there.", hint)) from None


def _opening(session: Session, host: Host, content: Mapping[str, Any], escrowed: EscrowedSecrets) -> Opening | None:
    if not content.get("restores"):
        return None
    with session.on(host):
        master_key = this_host.settings(Environment).master_key
    return opening(content.get("data_key") or {}, escrowed.master_keys(master_key))


def _heads(hosts: Any) -> dict[str, Any]:
    return {host.host: evidence.head(host) for host in hosts if host.newest and host.believed}


def _faults(session: Session) -> tuple[Fault, ...]:
    faults = (fault for host_faults in session.faults.values() for fault in host_faults)
    return tuple(with_environment(fault, session.environment) for fault in faults)
