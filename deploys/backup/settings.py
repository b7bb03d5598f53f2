"""Where the database is backed up to, when, and for how long backups are kept (rows G18 and G19 of the guide)."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from deploys.component import Port, Secret, Settings, refuse_single_text

Days = Annotated[int, Field(ge=1, le=3650)]
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY = 86_400  # seconds
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]"


def _is_time(text: str) -> str:
    if not re.fullmatch(rf"(daily|({'|'.join(_DAYS)})(,({'|'.join(_DAYS)}))*) {_TIME}", text):
        raise ValueError('give days and a time, in UTC: "Sun 02:00", "Mon,Thu 03:30", "daily 02:00"')
    return text


Schedule = Annotated[str, AfterValidator(_is_time)]
"""In UTC: "Sun 02:00", "Mon,Thu 03:30", "daily 02:00"."""
Folder = Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._-]+)+$")]
Endpoint = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$")]


def _is_certificate(text: str) -> str:
    if text and "-----BEGIN CERTIFICATE-----" not in text:
        raise ValueError('give the certificates as PEM text: Path("ca.pem").read_text()')
    return text


class S3(Settings):
    """A bucket. Backups are encrypted before they leave the host."""

    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    endpoint: Endpoint
    """A DNS name, with a port where it is not 443: "s3.eu-central-1.amazonaws.com"."""
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    folder: Folder = "/health-v1"
    style: Literal["host", "path"] = "host"
    """Whether the bucket's name is part of the host's name or of the path. MinIO and others want "path"."""
    certificates: Annotated[str, AfterValidator(_is_certificate)] = ""
    """Of the authority that vouches for the endpoint, as PEM. Empty: the distribution's."""
    locked: bool = False
    """Whether the bucket has versioning and object lock. `healthv1 backup check` and `verify` try it."""
    operator_endpoint: Endpoint | Literal[""] = ""
    """Where your own machine reaches the server, when it is not `endpoint`: `healthv1 backup undelete` speaks to it."""
    credentials: Secret = Secret("backup_credentials", used_by=("pgBackRest",), in_escrow=True)
    """ACCESS_KEY_ID:SECRET_ACCESS_KEY of the host: it may read, write, list and delete, but delete no version."""
    read_credentials: Secret | None = None
    """Of a key that may read and list alone: `Secret("backup_read_credentials")`. Restore drills use it.

    A host of the group `drill` gets no other. None: they use `credentials`.
    """

    @field_validator("read_credentials")
    @classmethod
    def _is_another_key(cls, secret: Secret | None, info: ValidationInfo) -> Secret | None:
        if secret is None:
            return None
        if (credentials := info.data.get("credentials")) and credentials.key == secret.key:
            raise ValueError('it is the key that writes: read_credentials=Secret("backup_read_credentials")')
        return replace(secret, used_by=("restore drills",), in_escrow=True)

    def with_one_key(self, *, reader: bool) -> S3:
        """Return it with one key: the one that reads, where there is one, or the host's."""
        key = self.read_credentials if reader and self.read_credentials else self.credentials
        return self.model_copy(update={"credentials": key, "read_credentials": None})


class Directory(Settings):
    """A disk or a share that is mounted on the host. It is lost with the host unless it is elsewhere."""

    path: Folder
    """On another file system than the database."""


class RepositoryHost(Settings):
    """The disk of another host of ours: the one in the inventory group `repository`. pgBackRest speaks TLS with it.

    Both prove who they are with certificates of our authority, so it needs `pki`. Backups are encrypted before they
    leave the database's host, and no other has the passphrase.
    """

    path: Folder = "/srv/backup"
    """A folder there, on whatever disk is to hold the backups. Ours is `health-v1` in it."""
    port: Port = 8432

    @property
    def folder(self) -> str:
        """Return all that the server there may see."""
        return f"{self.path}/health-v1"


class ReachedHost(RepositoryHost):
    """The same, once the inventory said where it is. group_data names no address."""

    address: str


Repository: TypeAlias = S3 | Directory | RepositoryHost


def _is_public(text: str) -> str:
    if not re.fullmatch(r"age1[02-9ac-hj-np-z]{58}|ssh-(ed25519|rsa) [A-Za-z0-9+/]+={0,2}", text):
        raise ValueError("give a public key: age1…, ssh-ed25519 or ssh-rsa, without its comment")
    return text


class Export(Settings):
    """A logical dump into the first repository, encrypted for whoever holds a private key. No host can open it."""

    recipients: Annotated[
        tuple[Annotated[str, AfterValidator(_is_public)], ...], BeforeValidator(refuse_single_text), Field(min_length=1)
    ]
    """Public keys: age1…, ssh-ed25519, ssh-rsa. Each of them opens it."""
    at: Schedule = "daily 03:30"
    keep_days: Days = 30
    """Older ones are removed; the newest never."""


class Backup(Settings):
    repository: Repository | None = None
    second: Repository | None = None
    """Another place, which gets the same. It has credentials of its own: `credentials=Secret("…")`."""
    off: Annotated[str, Field(max_length=200)] = ""
    """Why nothing is backed up. Without a repository and without this, `plan` warns and `verify` fails."""
    full: Schedule = "Sun 02:00"
    incremental: Schedule = "daily 02:00"
    """What changed since the backup before. On a day on which a full backup was just made, none is made."""
    keep_days: Days = 30
    """Backups of the last days can be restored, to each moment in them."""
    archive_timeout: Annotated[int, Field(ge=10, le=3600)] = 60
    """Seconds. At most so much is lost with the host, and what the upload takes."""
    processes: Annotated[int, Field(ge=1, le=16)] = 2
    """How many of the host's cores compress and encrypt."""
    reserve: Annotated[int, Field(ge=16, le=1024**2)] = 1024
    """MiB of the database's disk that are kept free by a file, which goes when the disk is nearly full."""
    drill: Schedule | None = "Sat 04:00"
    """When the newest backups are restored into a throwaway instance, and proven."""
    drill_max_age: Days = 8
    """After so many days without a drill that passed, `verify` fails."""
    drill_off: Annotated[str, Field(max_length=200)] = ""
    """Why no drill runs, with `drill=None`. Without it `verify` fails."""
    export: Export | None = None
    """A copy of the database to leave with, each night."""
    passphrase: Secret = Secret(
        "backup_passphrase", entropy=32, used_by=("pgBackRest",), rotation="overlapping", irreplaceable=True
    )
    """Encrypts the backups. If it is lost, so are they."""

    @field_validator("off")
    @classmethod
    def _has_no_repository(cls, off: str, info: ValidationInfo) -> str:
        if off and info.data.get("repository"):
            raise ValueError("a repository is set as well: remove one of them")
        return off

    @field_validator("second")
    @classmethod
    def _is_another(cls, second: Repository | None, info: ValidationInfo) -> Repository | None:
        first = info.data.get("repository")
        if second and not first:
            raise ValueError("a second repository needs a first: set repository")
        if isinstance(first, S3) and isinstance(second, S3) and first.credentials.key == second.credentials.key:
            raise ValueError(
                'it needs credentials of its own: credentials=Secret("backup_credentials_2", in_escrow=True)'
            )
        if isinstance(first, RepositoryHost) and isinstance(second, RepositoryHost):
            raise ValueError("there is one host in the group repository: the first is there already")  # noqa: TRY004
        return second

    @field_validator("drill_max_age")
    @classmethod
    def _leaves_time_for_one(cls, days: int, info: ValidationInfo) -> int:
        drill = info.data.get("drill")
        if drill and longest_pause(drill) > days * _DAY:
            raise ValueError(f"drills are up to {longest_pause(drill) // _DAY} days apart: give more days than that")
        return days

    @field_validator("export")
    @classmethod
    def _has_a_repository(cls, export: Export | None, info: ValidationInfo) -> Export | None:
        if export and not info.data.get("repository"):
            raise ValueError("it goes into the repository: set repository")
        if export and isinstance(info.data["repository"], RepositoryHost):  # pgBackRest removes no file there
            raise ValueError(
                "it goes into a bucket or a directory: set one as repository, and RepositoryHost as second"
            )
        return export

    @field_validator("drill_off")
    @classmethod
    def _has_no_drill(cls, off: str, info: ValidationInfo) -> str:
        if off and info.data.get("drill"):
            raise ValueError("drills run: set drill=None as well")
        return off

    @property
    def repositories(self) -> tuple[Repository, ...]:
        return tuple(repository for repository in (self.repository, self.second) if repository)

    @property
    def other_host(self) -> RepositoryHost | None:
        """Return the repository that is on another host of ours."""
        return next((entry for entry in self.repositories if isinstance(entry, RepositoryHost)), None)

    @property
    def reached_host(self) -> ReachedHost | None:
        """Return the same, once the inventory said where it is."""
        return next((entry for entry in self.repositories if isinstance(entry, ReachedHost)), None)

    def reached_at(self, address: str) -> Backup:
        """Return these settings with the address of the host in the group `repository`."""
        located = {
            name: ReachedHost(path=entry.path, port=entry.port, address=address)
            for name, entry in (("repository", self.repository), ("second", self.second))
            if isinstance(entry, RepositoryHost)
        }
        return self.model_copy(update=located)

    @property
    def is_locked(self) -> bool:
        """Whether one of the buckets is said to keep what is deleted."""
        return any(isinstance(repository, S3) and repository.locked for repository in self.repositories)

    @property
    def has_reader(self) -> bool:
        """Whether drills have a key of their own."""
        return any(isinstance(repository, S3) and repository.read_credentials for repository in self.repositories)

    def with_one_key(self, *, reader: bool) -> Backup:
        """Return the settings with one key to each repository.

        + reader: for whoever only reads: the key of drills takes the place of the host's, where there is one.
        """
        repositories = {
            name: repository.with_one_key(reader=reader)
            for name in ("repository", "second")
            if isinstance(repository := getattr(self, name), S3)
        }
        return self.model_copy(update=repositories)

    def secrets(self) -> tuple[Secret, ...]:
        return super().secrets() if self.repository else ()

    def reading_secrets(self) -> tuple[Secret, ...]:
        """Return what a host has that only reads."""
        return self.with_one_key(reader=True).secrets()


def calendar(schedule: str) -> str:
    """Return a schedule as systemd.time(7) writes it."""
    days, time = schedule.split()
    return f"{'' if days == 'daily' else f'{days} '}*-*-* {time}:00 UTC"


def longest_pause(*schedules: str) -> int:
    """Return the seconds of the longest pause between two days of the schedules, within a week."""
    days = {day for schedule in schedules for day in _days(schedule)}
    following = [*sorted(days), min(days) + len(_DAYS)]
    return max(after - day for day, after in itertools.pairwise(following)) * _DAY


def _days(schedule: str) -> list[int]:
    names = schedule.split(maxsplit=1)[0]
    return list(range(len(_DAYS))) if names == "daily" else [_DAYS.index(name) for name in names.split(",")]
