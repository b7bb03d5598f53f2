"""What has to hold before a host takes a lost one's place: it is bare, the lost one is off, its secrets are there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gevent

from deploys import this_host
from deploys.backup.configuration import credentials_file
from deploys.backup.settings import Backup
from deploys.component import Secret
from deploys.environment.settings import Environment
from deploys.stack import Stack
from healthv1.backup import lost
from healthv1.backup.lost import LostFolder
from healthv1.backup.program import BackupProgram
from healthv1.backup.restores import BUSY, Restore
from healthv1.commands.secrets import register
from healthv1.drill import program as drills
from healthv1.errors import Fault, HostError, Refused, RestoreError
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.secrets_in_use import bind_secrets
from healthv1.hosts.session import Session
from healthv1.journal.local import OperatorCopy
from healthv1.rollout import membership

LOOK = 5.0
"""Seconds between two looks at the lost host's folder."""
Note = Callable[[str], None]


def refuse_without_repository(host: Host) -> None:
    if not drills.is_backed_up(host):
        hint = "set backup = Backup(repository=…) in group_data; docs/backup.md"
        raise Refused(Fault(host.name, "It is not backed up: there is nothing to restore.", hint))


def standing(program: BackupProgram) -> dict[str, Any]:
    """Return what the host says of itself; nothing when it is bare."""
    try:
        return program.call("restore", "standing", timeout=300).document or {}
    except HostError:
        return {}


def is_under_way(place: Mapping[str, Any]) -> bool:
    """Whether the host is about to take a lost one's place, and was not done with it."""
    return bool(place.get("onto")) and not place["onto"]["done"]


def row_faults(host: str, place: Mapping[str, Any], environment: str) -> list[Fault]:
    """Return a fault where the host's database holds what somebody could miss."""
    if not place.get("rows") or is_under_way(place):
        return []
    what = f"Its database holds rows already: {', '.join(place['rows'])}. It takes nobody's place."
    return [Fault(host, what, f"to bring an earlier moment of it back: healthv1 restore {environment} --to TIME")]


def off_faults(session: Session, host: Host, typed: str, again: str) -> list[Fault]:
    """Return why it is not believed that the lost host is off. + again: the command, without the typed name."""
    membership.read_records(session)
    present = {member.name: member.address for member in membership.inventory_members(session)}
    hosts = lost.remembered(present, session.records.values(), _journal(session.environment))
    port = stack_of(session, host).postgresql_port
    return lost.off_faults(hosts, host.name, typed, lambda gone: lost.answering(gone, port), again)


def _journal(environment: str) -> list[str]:
    try:
        return OperatorCopy(environment).lines()
    except OSError:
        return []


def stack_of(session: Session, host: Host) -> Stack:
    with session.on(host):
        return this_host.settings(Stack)


def backup_of(session: Session, host: Host) -> Backup:
    with session.on(host):
        return this_host.settings(Backup)


def secret_faults(environment: str) -> list[Fault]:
    """Return a fault for each lost secret that nothing can replace. An apply would make it anew, or ask for it."""
    in_use = bind_secrets(environment)
    backend = register.backend_of(in_use)
    needed = [secret for secret in in_use.secrets if secret.belongs_in_escrow]
    entries = backend.entries(secret.key for secret in needed)
    lost_names = [key for key, entry in entries.items() if entry is None]
    back = f"healthv1 secrets restore {environment} FILE --identity KEY"
    what = "It is lost: without it nothing that was backed up opens."
    return [Fault(f"{backend}#{key}", what, back) for key in lost_names] or _unexported(in_use.environment, needed)


def _unexported(settings: Environment, needed: Sequence[Secret]) -> list[Fault]:
    """Return the faults for which backups would not be turned on."""
    backend = needed[0].backend if needed and settings.require_escrow else None
    return list(backend.unexported(tuple(needed))) if backend else []


def folders(program: BackupProgram) -> tuple[list[LostFolder], float]:
    """Return what other hosts left in the repositories, and the host's time. Raises `RestoreError`."""
    answer = program.call("restore", "folders", timeout=300)
    if answer.code or not answer.document:
        what = "; ".join(answer.sentences[-2:]) or "it did not say why"
        hint = f"see whether it can be reached: healthv1 backup check {program.environment}"
        raise RestoreError(Fault(program.host.name, f"The repository cannot be read: {what}.", hint))
    return [LostFolder(**folder) for folder in answer.document["folders"]], float(answer.document["now"])


def send_keys(session: Session, program: BackupProgram, folder: str) -> None:
    """Send what opens a folder: the keys of today, and the passphrase of its version. Raises `RestoreError`."""
    settings = backup_of(session, program.host)
    number = int(folder.rpartition("/")[2])
    entry = register.backend_of(bind_secrets(session.environment)).entry(settings.passphrase.key)
    kept = next((version for version in (entry.versions if entry else ()) if version.number == number), None)
    if kept is None:
        what = f"Version {number} of it opens {folder}, and the backend does not hold that."
        hint = f"healthv1 secrets list {session.environment}; an escrow file of that time may hold it"
        raise RestoreError(Fault(str(settings.passphrase), what, hint))
    answer = program.call("restore", "keys", stdin=credentials_file(settings.with_one_key(reader=True), kept.value))
    if answer.code:
        raise RestoreError(Fault(program.host.name, f"It took no keys: {'; '.join(answer.sentences[-2:])}."))


def await_silence(session: Session, program: BackupProgram, copy: Restore, note: Note) -> None:
    """Wait until the lost host has surely sent no more. Raises `RestoreError` when it has: it runs, and writes."""
    archive_timeout = backup_of(session, program.host).archive_timeout
    began, announced = time.monotonic(), False
    while True:
        left_folders, now = folders(program)
        folder = next((one for one in left_folders if one.path == copy.asked["from"]), None)
        if folder is None:
            return
        refuse_newer(folder, copy)
        left = lost.still_to_wait(folder, now, archive_timeout)
        if not left or time.monotonic() - began > lost.silence(archive_timeout):  # clocks may differ
            return
        if not announced:
            note(f"The lost host sent its last WAL {now - folder.archived:.0f} s ago: {left:.0f} s more are waited")
            announced = True
        session.check_lock()
        gevent.sleep(min(LOOK, left))


def refuse_newer(folder: LostFolder, copy: Restore) -> None:
    """Raise `RestoreError` where WAL has arrived since the copy was begun."""
    if folder.segment == copy.asked["segment"]:
        return
    what = f"WAL of {lost.clock(folder.archived)} arrived in {folder.path} since: that host runs, and writes."
    discard = f"healthv1 restore {copy.environment} --discard"
    hint = f"power it off; then remove the copy, which lacks that, and give the same command again: {discard}"
    raise RestoreError(Fault(copy.host, what, hint), exit_code=BUSY)
