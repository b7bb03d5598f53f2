"""What a host has that keeps backups, or reads them for drills: pgBackRest, our program, keys and timers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from pyinfra.context import host

from deploys.archiving import CONFIGURATION
from deploys.backup.configuration import certificates_path, credentials_file, pgbackrest_file
from deploys.backup.settings import S3, Backup, calendar
from deploys.cluster import Cluster
from deploys.component import program_files, template
from deploys.operations.change import Change
from deploys.operations.files import directory, file
from deploys.operations.packages import packages
from deploys.operations.program import program
from deploys.operations.shell import ensure
from deploys.operations.units import unit
from deploys.paths import BACKUP_PROGRAM

PROGRAM_SETTINGS = "/etc/health-v1/backup.json"
DRILL_KEY = "/etc/health-v1/drill_key"
"""The host's own: it signs the evidence of drills, and opens nothing."""


@dataclass(frozen=True)
class Source:
    """The database whose backups these are."""

    cluster: Cluster
    history: str
    """What tells its host's backups from others' in one repository."""


def install_pgbackrest(settings: Backup, source: Source) -> None:
    """Have pgBackRest, and its configuration without the keys."""
    packages(name="Install pgBackRest", names=("pgbackrest", "python3"))
    version = settings.passphrase.numbers()[0]
    directory(name="Make a place for settings of the backup", path="/etc/health-v1")
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
        content=lambda: pgbackrest_file(settings, source.cluster, source.history, version),
    )


def _ending_in_a_newline(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


def write_keys(what: str, folder: str, settings: Backup) -> None:
    """Have a folder with the passphrase and the keys. + what: "the keys"."""
    directory(name=f"Make a place for {what}", path=folder, mode="0750", group="postgres")
    file(
        name=f"Write {what}",
        path=f"{folder}/health-v1.conf",
        content=lambda: credentials_file(settings),
        mode="0640",
        group="postgres",
        secret=True,
    )


def install_program() -> None:
    """Have our program, and the key with which it signs drills. Its settings are written before."""
    program(name="Install our program", path=BACKUP_PROGRAM, files=program_files("backup"))
    ensure(
        name="Make the key that signs drills",
        change=Change("key", DRILL_KEY, "create", "it signs the evidence of restore drills"),
        test=f"test -s {DRILL_KEY} && test -s {DRILL_KEY}.pub",
        command=f"rm -f {DRILL_KEY} {DRILL_KEY}.pub\nssh-keygen -q -t ed25519 -N '' -C healthv1-drill -f {DRILL_KEY}",
    )


def write_units(names: Sequence[str], settings: Backup, cluster: Cluster) -> None:
    for name in host.loop(names):
        file(
            name=f"Write {name}",
            path=f"/etc/systemd/system/{name}",
            content=template(
                f"backup/{name}", settings=settings, cluster=cluster, program=BACKUP_PROGRAM, calendar=calendar
            ),
        )


def run_timers(names: Sequence[str]) -> None:
    for timer in host.loop(names):
        unit(
            name=f"Run {timer}",
            unit=timer,
            effect="nobody is interrupted",
            restart_on=(f"/etc/systemd/system/{timer}",),
        )


def stop_timers(names: Sequence[str], why: str) -> None:
    for name in host.loop(names):
        ensure(
            name=f"Stop {name}",
            change=Change("unit", name, "stop", why, becomes="disabled"),
            test=f"! systemctl is-enabled --quiet {name} && ! systemctl is-active --quiet {name}",
            command=f"systemctl disable --now {name}",
        )
