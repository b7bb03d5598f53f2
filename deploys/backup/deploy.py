"""The database is backed up by pgBackRest, continuously and each night, and what was backed up is read back."""

from __future__ import annotations

import json

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from deploys.archiving import CREDENTIALS_FOLDER, READING_FOLDER, Archiving
from deploys.backup import placement
from deploys.backup.checks import DRILL_TIMER, EXPORT_TIMER, TIMERS, checks, drill_checks, missing
from deploys.backup.configuration import (
    BUNDLING,
    CLIENT,
    REMOTE,
    program_file,
    repository_folder,
    repository_place,
)
from deploys.backup.installing import (
    PROGRAM_SETTINGS,
    Source,
    install_pgbackrest,
    install_program,
    run_timers,
    stop_timers,
    write_keys,
    write_units,
)
from deploys.backup.settings import Backup, Directory
from deploys.certificates import deploy_certificate
from deploys.cluster import Cluster
from deploys.component import Check, Secret, template
from deploys.facts.machine import MachineState
from deploys.facts.marks import Marks
from deploys.faults import Fault, Refused
from deploys.operations.change import Change
from deploys.operations.claims import claim
from deploys.operations.files import absent, directory, file
from deploys.operations.shell import ensure
from deploys.operations.warnings import warn
from deploys.paths import BACKUP, BACKUP_PROGRAM, MARKS, METRICS
from deploys.stack import Stack
from deploys.tls import HostIdentity

PREPARED, PLACES = f"{BACKUP}/prepared", f"{BACKUP}/places"
FULL = "health-v1-backup@full.service"
EXPORT = "health-v1-export.service"
EXPORT_SCRIPT = "/etc/health-v1/export.sh"
MANAGED = "# Managed by healthv1: change group_data and apply, not this file.\n"
SET = 'backup = Backup(repository=S3(…)) in group_data, docs/backup.md has examples; or Backup(off="REASON")'


def archiving_here(settings: Backup, cluster: Cluster, *, require_escrow: bool) -> Archiving | None:
    """Return how PostgreSQL archives, or None: without a repository, and until the passphrase is in escrow.

    Only turning it on waits: once PostgreSQL archives, it goes on.
    """
    if settings.repository and cluster.version < BUNDLING:
        what = "This distribution's pgBackRest is too old to read a backup back: before 2.39."
        raise Refused(Fault(f"{host.name}: backup.repository", what, 'set backup = Backup(off="REASON")'))
    if settings.other_host and cluster.version < REMOTE:
        what = "This distribution's pgBackRest makes no backup onto another host by itself: before 2.55."
        hint = "take Debian 13, or another repository: docs/backup.md"
        raise Refused(Fault(f"{host.name}: backup.repository", what, hint))
    if not settings.repository:
        if not settings.off:
            warn("Nothing backs the database up.", f"set {SET}")
        return None
    faults = unexported(settings, host.get_fact(Marks), require_escrow=require_escrow)
    if faults:
        names = " and ".join(fault.where for fault in faults)
        what = f"Backups are not turned on yet: {names} was never exported for escrow, and read back."
        warn(what, faults[0].hint)
        return None
    return Archiving(cluster.name, settings.archive_timeout)


def unexported(settings: Backup, marks: dict[str, str], *, require_escrow: bool) -> tuple[Fault, ...]:
    """Return why backups are not turned on yet. + marks: of the database's host."""
    backend = settings.passphrase.backend
    waits = require_escrow and backend is not None and "backup" not in marks
    return backend.unexported(settings.secrets()) if waits and backend else ()


@deploy("Backup")
def deploy_backup(
    settings: Backup,
    stack: Stack,
    cluster: Cluster,
    archiving: Archiving | None,
    *,
    identity: HostIdentity | None = None,
    ca_key: Secret | None = None,
    drills_here: bool = True,
    dump: str = "",
) -> None:
    """Back the database up, or nothing more of it: what is in the repository stays.

    + identity, ca_key: who the host is, and what our authority is made of: for a repository on another host.
    + dump: bash that writes an export to stdout; empty: none is made.
    + drills_here: False where another host runs them. Here they run on request alone.
    """
    if archiving is None:
        _turn_off()
        claim("backup", _claims_without(settings), gates=False)
        return
    if settings.other_host and identity and ca_key:
        deploy_certificate(identity=identity.as_part(placement.CLIENT), ca_key=ca_key, group=CLIENT.group)
    _configure(settings, stack, cluster, drills_here=drills_here)
    if dump:
        file(name="Write what makes an export", path=EXPORT_SCRIPT, content=lambda: f"{MANAGED}{dump}")
    _schedule(settings, cluster, drills_here=drills_here)
    _make_first_backup(settings, cluster)
    _export(settings, cluster)
    drills = drill_checks(settings.drill_max_age, drill=bool(settings.drill), drill_off=settings.drill_off)
    timers = _timers(settings, drills_here=drills_here)
    claims = checks(timers, locked=settings.is_locked, exports=bool(settings.export))
    claim("backup", [*claims, *(drills if drills_here else [])], gates=False)


def _timers(settings: Backup, *, drills_here: bool) -> tuple[str, ...]:
    exporting = (EXPORT_TIMER,) if settings.export else ()
    return (*TIMERS, *exporting, *((DRILL_TIMER,) if settings.drill and drills_here else ()))


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


def _configure(settings: Backup, stack: Stack, cluster: Cluster, *, drills_here: bool) -> None:
    history, version = _history(), settings.passphrase.numbers()[0]
    install_pgbackrest(settings, Source(cluster, history))
    write_keys("the keys", CREDENTIALS_FOLDER, settings.with_one_key(reader=False))
    if settings.has_reader:
        write_keys("the keys of drills", READING_FOLDER, settings.with_one_key(reader=True))
    else:
        absent(name="Remove the keys of drills", path=f"{READING_FOLDER}/health-v1.conf")
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
        content=lambda: program_file(settings, cluster, stack, history, version, drills=drills_here),
    )
    install_program()
    if not drills_here:
        absent(name="Leave measuring drills to the host that runs them", path=f"{METRICS}/drill.prom")
    ensure(
        name="Begin the repository",
        change=Change(
            "repository", " and ".join(_folders(settings)), "create", "PostgreSQL archives into it from now on"
        ),
        test=_is_prepared(settings),
        command=f"/usr/bin/python3 -I -B {BACKUP_PROGRAM} prepare",
    )


def _schedule(settings: Backup, cluster: Cluster, *, drills_here: bool) -> None:
    timers = _timers(settings, drills_here=drills_here)
    services = (
        *("health-v1-backup@.service", "health-v1-backup-watch.service"),
        *("health-v1-restore.service", "health-v1-drill.service"),
        *((EXPORT,) if settings.export else ()),
    )
    write_units((*services, *timers), settings, cluster)
    why = "no restore is tried any more" if drills_here else "another host runs the drills"
    stop_timers([] if DRILL_TIMER in timers else [DRILL_TIMER], why)
    run_timers(timers)


def _make_first_backup(settings: Backup, cluster: Cluster) -> None:
    folders = _folders(settings)
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


def _export(settings: Backup, cluster: Cluster) -> None:
    stop_timers([] if settings.export else [EXPORT_TIMER], "no copy is made for others any more")
    if not settings.export:
        return
    ensure(
        name="Make the first export",
        change=Change("export", cluster.name, "create", "there is none yet"),
        test=f"test -s {BACKUP}/export.json",
        command=f"systemctl daemon-reload; systemctl start --no-block {EXPORT}\n{_waited_for(EXPORT)}\n"
        f"! systemctl is-failed --quiet {EXPORT} || {{ journalctl -u {EXPORT} -n 20 --no-pager -o cat >&2; exit 1; }}",
    )


def _waited_for(unit: str) -> str:
    """Return shell that waits for a unit's end for five minutes. A large database takes longer, and goes on."""
    return f"""i=0; while [ "$(systemctl show -p ActiveState --value {unit})" = activating ]; do
  i=$((i+1)); [ $i -lt 600 ] || break; sleep 0.5; done"""


def _turn_off() -> None:
    stop_timers([*TIMERS, EXPORT_TIMER, DRILL_TIMER], "nothing is backed up any more")
    for folder in host.loop((CREDENTIALS_FOLDER, READING_FOLDER)):
        absent(name=f"Remove the keys in {folder}", path=f"{folder}/health-v1.conf")
    absent(name="Have it wait for escrow another time", path=f"{MARKS}/backup")
    absent(name="Have it begin anew another time", path=PREPARED)
