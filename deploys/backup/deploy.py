"""The database is backed up by pgBackRest, continuously and each night, and what was backed up is read back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from deploys.archiving import CONFIGURATION, CREDENTIALS_FOLDER, READING_FOLDER, Archiving
from deploys.backup.checks import DRILL_TIMER, TIMERS, checks, missing
from deploys.backup.configuration import (
    BUNDLING,
    certificates_path,
    credentials_file,
    pgbackrest_file,
    program_file,
    repository_folder,
    repository_place,
)
from deploys.backup.settings import S3, Backup, Directory, calendar
from deploys.cluster import Cluster
from deploys.component import Check, program_files, template
from deploys.facts.machine import MachineState
from deploys.facts.marks import Marks
from deploys.faults import Fault, Refused
from deploys.operations.change import Change
from deploys.operations.claims import claim
from deploys.operations.files import absent, directory, file
from deploys.operations.packages import packages
from deploys.operations.program import program
from deploys.operations.shell import ensure
from deploys.operations.units import unit
from deploys.operations.warnings import warn
from deploys.paths import BACKUP, BACKUP_PROGRAM, MARKS
from deploys.stack import Stack

PREPARED, PLACES = f"{BACKUP}/prepared", f"{BACKUP}/places"
PROGRAM_SETTINGS = "/etc/health-v1/backup.json"
DRILL_KEY = "/etc/health-v1/drill_key"
"""The host's own: it signs the evidence of drills, and opens nothing."""
FULL = "health-v1-backup@full.service"
SET = 'backup = Backup(repository=S3(…)) in group_data, docs/backup.md has examples; or Backup(off="REASON")'


def archiving_here(settings: Backup, cluster: Cluster, *, require_escrow: bool) -> Archiving | None:
    """Return how PostgreSQL archives, or None: without a repository, and until the passphrase is in escrow.

    Only turning it on waits: once PostgreSQL archives, it goes on.
    """
    if settings.repository and cluster.version < BUNDLING:
        what = "This distribution's pgBackRest is too old to read a backup back: before 2.39."
        raise Refused(Fault(f"{host.name}: backup.repository", what, 'set backup = Backup(off="REASON")'))
    if not settings.repository:
        if not settings.off:
            warn("Nothing backs the database up.", f"set {SET}")
        return None
    if require_escrow and "backup" not in host.get_fact(Marks):
        faults = _unexported(settings)
        if faults:
            names = " and ".join(fault.where for fault in faults)
            what = f"Backups are not turned on yet: {names} was never exported for escrow, and read back."
            warn(what, faults[0].hint)
            return None
    return Archiving(cluster.name, settings.archive_timeout)


def _unexported(settings: Backup) -> tuple[Fault, ...]:
    backend = settings.passphrase.backend
    return backend.unexported(settings.secrets()) if backend else ()


@deploy("Backup")
def deploy_backup(settings: Backup, stack: Stack, cluster: Cluster, archiving: Archiving | None) -> None:
    """Back the database up, or nothing more of it: what is in the repository stays."""
    if archiving is None:
        _turn_off()
        claim("backup", _claims_without(settings), gates=False)
        return
    packages(name="Install pgBackRest", names=("pgbackrest", "python3"))
    _configure(settings, stack, cluster)
    timers = (*TIMERS, DRILL_TIMER) if settings.drill else TIMERS
    _schedule(settings, cluster, timers)
    claims = checks(
        timers,
        settings.drill_max_age,
        drill=bool(settings.drill),
        drill_off=settings.drill_off,
        locked=settings.is_locked,
    )
    claim("backup", claims, gates=False)


def _claims_without(settings: Backup) -> list[Check]:
    if settings.off:
        return []
    if settings.repository:
        hint = "healthv1 secrets export ENV --to KEY --out FILE, read it back, then: healthv1 apply ENV"
        return missing("the passphrase was never exported for escrow", hint)
    return missing("backup.repository is not set", f"set {SET}")


def _folders(settings: Backup) -> tuple[str, ...]:
    history, version = _history(), settings.passphrase.numbers()[0]
    return tuple(repository_folder(repository, history, version) for repository in settings.repositories)


def _is_prepared(settings: Backup) -> str:
    """Return shell that succeeds when each repository has a stanza."""
    history, version = _history(), settings.passphrase.numbers()[0]
    lines = "".join(f"{repository_place(entry, history, version)}\n" for entry in settings.repositories)
    return f"test -s {PREPARED} && printf %s '{lines}' | cmp -s - {PLACES}"


def _history() -> str:
    """Return what tells this host's backups from others' in one repository."""
    return host.get_fact(MachineState).identity[:12]


def _configure(settings: Backup, stack: Stack, cluster: Cluster) -> None:
    history, version = _history(), settings.passphrase.numbers()[0]
    directory(name="Make a place for settings of the backup", path="/etc/health-v1")
    directory(name="Make a place for the keys", path=CREDENTIALS_FOLDER, mode="0750", group="postgres")
    authorities = {
        number: repository.certificates
        for number, repository in enumerate(settings.repositories, 1)
        if isinstance(repository, S3) and repository.certificates
    }
    for number, text in host.loop(authorities.items()):
        file(
            name=f"Write who vouches for repository {number}",
            path=certificates_path(number),
            content=partial(_ending_in_a_newline, text),
        )
    file(
        name="Write pgbackrest.conf",
        path=CONFIGURATION,
        content=lambda: pgbackrest_file(settings, cluster, history, version),
    )
    file(
        name="Write the keys",
        path=f"{CREDENTIALS_FOLDER}/health-v1.conf",
        content=lambda: credentials_file(settings),
        mode="0640",
        group="postgres",
        secret=True,
    )
    _keys_of_drills(settings)
    for repository in host.loop([entry for entry in settings.repositories if isinstance(entry, Directory)]):
        directory(
            name=f"Make a place in {repository.path}",
            path=f"{repository.path}/{history}",
            mode="0750",
            user="postgres",
            group="postgres",
        )
    for path in host.loop(("/var/spool/health-v1-backup", "/run/lock/health-v1-backup")):
        directory(name=f"Make {path}", path=path, mode="0750", user="postgres", group="postgres")
    file(
        name="Make the lock's folder at each start of the host",
        path="/etc/tmpfiles.d/health-v1-backup.conf",
        content=template("backup/tmpfiles.conf"),
    )
    file(
        name="Write the settings of our program",
        path=PROGRAM_SETTINGS,
        content=lambda: program_file(settings, cluster, stack, history, version),
    )
    program(name="Install our program", path=BACKUP_PROGRAM, files=program_files("backup"))
    ensure(
        name="Make the key that signs drills",
        change=Change("key", DRILL_KEY, "create", "it signs the evidence of restore drills"),
        test=f"test -s {DRILL_KEY} && test -s {DRILL_KEY}.pub",
        command=f"rm -f {DRILL_KEY} {DRILL_KEY}.pub\nssh-keygen -q -t ed25519 -N '' -C healthv1-drill -f {DRILL_KEY}",
    )
    ensure(
        name="Begin the repository",
        change=Change(
            "repository", " and ".join(_folders(settings)), "create", "PostgreSQL archives into it from now on"
        ),
        test=_is_prepared(settings),
        command=f"/usr/bin/python3 -I -B {BACKUP_PROGRAM} prepare",
    )


def _keys_of_drills(settings: Backup) -> None:
    path = f"{READING_FOLDER}/health-v1.conf"
    if not settings.has_reader:
        absent(name="Remove the keys of drills", path=path)
        return
    directory(name="Make a place for the keys of drills", path=READING_FOLDER, mode="0750", group="postgres")
    file(
        name="Write the keys of drills",
        path=path,
        content=lambda: credentials_file(settings.with_one_key(reader=True)),
        mode="0640",
        group="postgres",
        secret=True,
    )


def _ending_in_a_newline(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


def _schedule(settings: Backup, cluster: Cluster, timers: Sequence[str]) -> None:
    folders = _folders(settings)
    services = (
        *("health-v1-backup@.service", "health-v1-backup-watch.service"),
        *("health-v1-restore.service", "health-v1-drill.service"),
    )
    for name in host.loop((*services, *timers)):
        file(
            name=f"Write {name}",
            path=f"/etc/systemd/system/{name}",
            content=template(
                f"backup/{name}", settings=settings, cluster=cluster, program=BACKUP_PROGRAM, calendar=calendar
            ),
        )
    _stop([DRILL_TIMER] if DRILL_TIMER not in timers else [], "no restore is tried any more")
    for timer in host.loop(timers):
        unit(
            name=f"Run {timer}",
            unit=timer,
            effect="nobody is interrupted",
            restart_on=(f"/etc/systemd/system/{timer}",),
        )
    ensure(
        name="Make the first backup",
        change=Change("backup", cluster.name, "create", "there is none yet", becomes="full, and read back"),
        test=" && ".join(
            [_is_prepared(settings), *(f'grep -qF \'"folder": "{folder}"\' {BACKUP}/proof.json' for folder in folders)]
        ),
        command=_first_backup(folders),
    )


def _first_backup(folders: tuple[str, ...]) -> str:
    """Return shell that makes a full backup. A large one is not waited for: the claims tell when it is done."""
    begun = json.dumps({"schema": 0, "begun": [{"folder": folder} for folder in folders]})
    return f"""systemctl daemon-reload; rm -f {BACKUP}/proof.json; systemctl start --no-block {FULL}
i=0; while [ "$(systemctl show -p ActiveState --value {FULL})" = activating ]; do
  i=$((i+1)); [ $i -lt 600 ] || {{ printf '%s\\n' '{begun}' > {BACKUP}/proof.json; exit 0; }}; sleep 0.5; done
test -s {BACKUP}/proof.json || {{ journalctl -u {FULL} -n 20 --no-pager -o cat >&2; exit 1; }}"""


def _stop(timers: Sequence[str], why: str) -> None:
    for name in host.loop(timers):
        ensure(
            name=f"Stop {name}",
            change=Change("unit", name, "stop", why, becomes="disabled"),
            test=f"! systemctl is-enabled --quiet {name} && ! systemctl is-active --quiet {name}",
            command=f"systemctl disable --now {name}",
        )


def _turn_off() -> None:
    _stop([*TIMERS, DRILL_TIMER], "nothing is backed up any more")
    for folder in host.loop((CREDENTIALS_FOLDER, READING_FOLDER)):
        absent(name=f"Remove the keys in {folder}", path=f"{folder}/health-v1.conf")
    absent(name="Have it wait for escrow another time", path=f"{MARKS}/backup")
    absent(name="Have it begin anew another time", path=PREPARED)
