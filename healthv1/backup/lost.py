"""A database host that is lost: which one it was, whether it is off, and which folder of the repository was its.

Two hosts that both believe to be the database would go on with two histories. So nobody takes a lost one's place while
it answers, and whoever says that it is off types its name.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import gevent

from healthv1.errors import Fault, RestoreError
from healthv1.plan import members

UNREACHABLE = 4
"""Exit code: no backup leads there."""
CONNECT = 3.0  # seconds
BEAT, UPLOAD = 60, 30
"""Seconds: a host that runs writes a row for each minute, and what it wrote needs a while to arrive."""
LONGEST_WAIT = 180  # seconds
HTTPS = 443


@dataclass(frozen=True)
class LostHost:
    name: str
    address: str = ""
    """Where it was reached; empty: nothing here remembers it."""
    ssh_port: int = 22


@dataclass(frozen=True)
class LostFolder:
    """What another host left in a repository: its names and times."""

    repository: int
    path: str
    label: str
    backed_up: float
    """When its newest backup ended, in seconds since 1970, as `archived`."""
    segment: str
    archived: float
    """When its newest WAL segment arrived."""
    timeline: int
    postgresql: str

    @property
    def history(self) -> str:
        """The beginning of its host's machine-id."""
        return self.path.split("/")[-2]

    @property
    def version(self) -> int:
        """Of the passphrase that opens it."""
        return int(self.path.split("/")[-1])

    def __str__(self) -> str:
        return f"{self.path} (newest backup {clock(self.backed_up)}, newest WAL {clock(self.archived)})"


def remembered(
    present: Mapping[str, str], records: Iterable[Mapping[str, Any]], lines: Sequence[str]
) -> tuple[LostHost, ...]:
    """Return the database hosts that were of the environment and are not in its inventory any more.

    + present: the inventory's hosts, by name with the address.
    + records: what the hosts that can be asked keep of the environment's members.
    + lines: of the operator's journal, which tells of the newest one where no host does.
    """
    here = set(present.values())
    absent = {
        member.address: LostHost(member.name, member.address, member.ssh_port)
        for record in records
        for member in members.read(record)
        if "database" in member.parts and member.address not in here
    }
    return tuple(absent.values()) or _from_journal(here, lines)


def _from_journal(here: set[str], lines: Sequence[str]) -> tuple[LostHost, ...]:
    for line in reversed(lines):
        databases: dict[str, str] = {}
        with suppress(ValueError, AttributeError):
            databases = json.loads(line).get("databases") or {}
        gone = tuple(LostHost(name, address) for name, address in databases.items() if address not in here)
        if gone:
            return gone
    return ()


def off_faults(
    hosts: Sequence[LostHost], otherwise: str, typed: str, answers: Callable[[LostHost], int], again: str
) -> list[Fault]:
    """Return why it is not believed that the lost host is off.

    + otherwise: the name to type where nothing remembers a lost host.
    + typed: what the user typed as its name; as its address: whatever answers there now is another machine.
    + answers: returns the port at which a host answers, 0 where it does not.
    + again: the command, without the name.
    """
    known = list(hosts) or [LostHost(otherwise)]
    return [fault for host in known for fault in _off_faults(host, known, typed, answers, again)]


def _off_faults(
    host: LostHost, known: Sequence[LostHost], typed: str, answers: Callable[[LostHost], int], again: str
) -> list[Fault]:
    where = f"{host.name} ({host.address})" if host.address else host.name
    port = answers(host) if host.address and not is_named(typed, host.address) else 0
    power_off = f"power it off at its provider, then: {again} --i-have-powered-off {host.name}"
    if port:
        another = f"if another machine has its address by now: {again} --i-have-powered-off {host.address}"
        return [Fault(where, f"It answers on port {port}: it is not off.", f"{power_off}; {another}")]
    if not typed:
        what = "It does not answer, which is no proof that it is off: two that run would go on with two histories."
        unknown = "Nothing here remembers where the lost host was, so it could not be looked for."
        return [Fault(where, what if host.address else unknown, power_off)]
    if not any(is_named(typed, other.name, other.address) for other in known):
        return [Fault(f"--i-have-powered-off {typed}", f"The lost host is {where}.", power_off)]
    return []


def is_named(typed: str, *names: str) -> bool:
    """Whether somebody typed one of these names, letter by letter."""
    return bool(typed) and typed.strip() in {name for name in names if name}


def answering(host: LostHost, postgresql_port: int) -> int:
    """Return a port at which a host takes connections; 0 where it does at none that we know of."""

    def tried(port: int) -> int:
        with suppress(OSError), socket.create_connection((host.address, port), timeout=CONNECT):
            return port
        return 0

    tries = [gevent.spawn(tried, port) for port in dict.fromkeys((host.ssh_port, postgresql_port, HTTPS))]
    gevent.joinall(tries)
    return next((attempt.value for attempt in tries if attempt.value), 0)


def choose(folders: Sequence[LostFolder], wanted: str, repository: int, again: str) -> LostFolder:
    """Return the lost host's folder. Raises `RestoreError` where there is none, or more than one could be meant.

    + wanted: its path, or the part that is the host's; empty: the only one.
    + repository: in this one alone; 0: the first that has it.
    + again: the command, without the folder.
    """
    offered = [folder for folder in folders if repository in {0, folder.repository}]
    meant = [folder for folder in offered if _is_meant(folder, wanted)]
    histories = {folder.history for folder in meant}
    if len(histories) == 1:
        return min(meant, key=lambda folder: (-folder.version, folder.repository))
    if not offered:
        what = "No other host has a backup there."
        raise RestoreError(Fault("repository", what, "see backup.repository in group_data"), exit_code=UNREACHABLE)
    newest = max(offered, key=lambda folder: folder.archived)
    listed = "; ".join(str(folder) for folder in offered)
    what = f"Of several hosts there are backups: {listed}." if not wanted else f"{wanted} is not among them: {listed}."
    hint = f"choose one, such as the one that was written to last: {again} --from {newest.history}"
    raise RestoreError(Fault("repository", what, hint), exit_code=UNREACHABLE)


def _is_meant(folder: LostFolder, wanted: str) -> bool:
    return wanted.strip("/") in {"", folder.path.strip("/"), folder.history, f"{folder.history}/{folder.version}"}


def silence(archive_timeout: int) -> int:
    """Return the seconds after which a host that runs has surely sent WAL."""
    return min(archive_timeout + BEAT + UPLOAD, LONGEST_WAIT)


def still_to_wait(folder: LostFolder, now: float, archive_timeout: int) -> float:
    """Return the seconds until its silence tells that the host sends no more; 0 when it does by now."""
    return max(0.0, folder.archived + silence(archive_timeout) - now)


def clock(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, timezone.utc):%Y-%m-%d %H:%M:%S} UTC" if moment else "unknown"
