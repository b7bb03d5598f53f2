"""What pgBackRest and our program on the host are told. Nothing here is secret but `credentials_file`."""

from __future__ import annotations

import json
from collections.abc import Iterator

from deploys.archiving import READING_FOLDER
from deploys.backup.settings import S3, Backup, Directory, ReachedHost, Repository, RepositoryHost, longest_pause
from deploys.cluster import Cluster
from deploys.component import Secret
from deploys.faults import Fault, Refused
from deploys.stack import Stack
from deploys.tls import AUTHORITY, KeyFiles

DAY = 86_400  # seconds
EXPORT_LATE = 3 * 3600
"""Seconds: an export begins up to half an hour late, and takes a while."""
BUNDLING = 15
"""From this PostgreSQL on, a distribution's pgBackRest is 2.39 or newer: it bundles small files, and verifies.

Ubuntu 22.04 has PostgreSQL 14 and pgBackRest 2.37.
"""
BLOCK_INCREMENTAL = 17
"""From this PostgreSQL on, a distribution's pgBackRest copies changed blocks alone. Older ones refuse the option."""
REMOTE = 17
"""From this PostgreSQL on, a distribution's pgBackRest is 2.55 or newer: a backup may be made onto another host.

Older ones have that host make it, which takes the passphrase there, and a way from there into the database.
"""
CLIENT = KeyFiles("postgres")
"""The key with which a database's host speaks to the host that keeps its backups."""
SERVER_FILE = "/etc/health-v1/repository.conf"
"""What the server there is told."""


def repository_folder(repository: Repository, history: str, version: int) -> str:
    """Return where in a repository a host keeps its backups.

    + history: of the host. Two hosts never write to one folder: a restored database goes on with another history.
    + version: of the passphrase. Another passphrase begins anew, and the folder of the old one stays beside it.
    """
    return f"{repository_root(repository)}/{history}/{version}"


def repository_root(repository: Repository) -> str:
    return repository.path if isinstance(repository, Directory) else repository.folder


def repository_place(repository: Repository, history: str, version: int) -> str:
    """Return what tells a repository from every other: the same folder in another bucket holds no backup yet."""
    folder = repository_folder(repository, history, version)
    if isinstance(repository, ReachedHost):
        return f"{repository.address}{folder}"
    return f"{repository.endpoint}/{repository.bucket}{folder}" if isinstance(repository, S3) else folder


def pgbackrest_file(settings: Backup, cluster: Cluster, history: str, version: int) -> str:
    lines = [
        "# Managed by healthv1: change group_data and apply, not this file.",
        "[global]",
        *(
            line
            for number, repository in enumerate(settings.repositories, 1)
            for line in _repository_lines(number, repository, cluster, repository_folder(repository, history, version))
        ),
        *(
            f"repo{number}-{name}={value}"
            for number in range(1, len(settings.repositories) + 1)
            for name, value in (
                ("cipher-type", "aes-256-cbc"),
                ("bundle", "y"),
                ("retention-full-type", "time"),
                ("retention-full", settings.keep_days),
            )
        ),
        "compress-type=zst",
        "compress-level=3",
        f"process-max={settings.processes}",
        "start-fast=y",
        "archive-async=y",
        f"archive-timeout={settings.archive_timeout}",
        "spool-path=/var/spool/health-v1-backup",
        "lock-path=/run/lock/health-v1-backup",
        "log-level-console=warn",
        "log-level-file=off",
        "",
        f"[{cluster.name}]",
        f"pg1-path={cluster.data}",
        f"pg1-port={cluster.port}",
        "",
    ]
    return "\n".join(lines)


def _repository_lines(number: int, repository: Repository, cluster: Cluster, folder: str) -> Iterator[str]:
    prefix = f"repo{number}"
    yield f"{prefix}-path={folder}"
    if cluster.version >= BLOCK_INCREMENTAL:
        yield f"{prefix}-block=y"
    if isinstance(repository, Directory):
        yield f"{prefix}-type=posix"
        return
    if isinstance(repository, RepositoryHost):
        yield from _host_lines(prefix, repository)
        return
    endpoint, _, port = repository.endpoint.partition(":")
    yield f"{prefix}-type=s3"
    yield f"{prefix}-s3-bucket={repository.bucket}"
    yield f"{prefix}-s3-endpoint={endpoint}"
    yield f"{prefix}-s3-region={repository.region}"
    yield f"{prefix}-s3-uri-style={repository.style}"
    yield f"{prefix}-storage-port={port or 443}"
    if repository.certificates:
        yield f"{prefix}-storage-ca-file={certificates_path(number)}"


def _host_lines(prefix: str, repository: RepositoryHost) -> Iterator[str]:
    assert isinstance(repository, ReachedHost)
    yield f"{prefix}-host={repository.address}"
    yield f"{prefix}-host-port={repository.port}"
    yield f"{prefix}-host-type=tls"
    yield f"{prefix}-host-ca-file={AUTHORITY}"
    yield f"{prefix}-host-cert-file={CLIENT.certificate}"
    yield f"{prefix}-host-key-file={CLIENT.key}"
    yield f"{prefix}-host-config={SERVER_FILE}"


def server_file(repository: ReachedHost, files: KeyFiles, client: str) -> str:
    """Return what the server is told that keeps the backups of `client`, a common name.

    It has one client, and sees its backups alone: so that one may speak for any stanza.
    """
    lines = [
        "# Managed by healthv1: change group_data and apply, not this file.",
        "[global]",
        f"tls-server-address={repository.address}",
        f"tls-server-port={repository.port}",
        f"tls-server-ca-file={AUTHORITY}",
        f"tls-server-cert-file={files.certificate}",
        f"tls-server-key-file={files.key}",
        f"tls-server-auth={client}=*",
        "lock-path=/run/health-v1-repository",
        "log-level-console=warn",
        "log-level-file=off",
        "",
    ]
    return "\n".join(lines)


def certificates_path(number: int) -> str:
    return f"/etc/health-v1/backup-{number}.pem"


def credentials_file(settings: Backup, passphrase: str = "") -> str:
    """Reveal the passphrase and the keys: call it only to write the secret file. Raises `Refused`.

    + passphrase: another one than the active one, for a folder of its time.
    """
    lines = ["# Managed by healthv1: change group_data and apply, not this file.", "[global]"]
    for number, repository in enumerate(settings.repositories, 1):
        lines.append(f"repo{number}-cipher-pass={passphrase or settings.passphrase.reveal()}")
        if isinstance(repository, S3):
            key, secret = key_pair(repository.credentials)
            lines += [f"repo{number}-s3-key={key}", f"repo{number}-s3-key-secret={secret}"]
    return "\n".join([*lines, ""])


def key_pair(credentials: Secret) -> tuple[str, str]:
    """Reveal a key and its secret. Raises `Refused`."""
    key, colon, secret = credentials.reveal().partition(":")
    if not (key and colon and secret) or any(character.isspace() for character in key + secret):
        what = "It is not a key and its secret with a colon between them, on one line."
        raise Refused(
            Fault(str(credentials), what, f"printf 'KEY:SECRET' | healthv1 secrets set ENV {credentials.key}")
        )
    return key, secret


def program_file(
    settings: Backup,
    cluster: Cluster,
    stack: Stack,
    history: str,
    version: int,
    *,
    live: bool = True,
    drills: bool = True,
) -> str:
    """Return the settings of our program, as JSON.

    + live: whether the database serves on this host.
    + drills: whether they run here by themselves.
    """
    document = {
        "stanza": cluster.name,
        "version": cluster.version,
        "port": cluster.port,
        "data": cluster.data,
        "unit": cluster.unit,
        "repositories": [repository_folder(repository, history, version) for repository in settings.repositories],
        "places": [repository_place(repository, history, version) for repository in settings.repositories],
        "buckets": [bucket_settings(number, repository) for number, repository in enumerate(settings.repositories, 1)],
        "hosts": [
            repository.address if isinstance(repository, ReachedHost) else "" for repository in settings.repositories
        ],
        "directories": [repository.path for repository in settings.repositories if isinstance(repository, Directory)],
        "keep_days": settings.keep_days,
        "archive_timeout": settings.archive_timeout,
        "reserve": settings.reserve * 2**20,
        "longest_pause": longest_pause(settings.full, settings.incremental),
        "database": stack.database,
        "owner": stack.database_owner,
        "drill_max_age": settings.drill_max_age * DAY,
        "exports": _exports(settings, history),
        "live": live,
        "drills": drills,
        "reading_keys": READING_FOLDER if settings.has_reader else "",
    }
    return json.dumps(document, indent=2) + "\n"


def _exports(settings: Backup, history: str) -> dict[str, object]:
    """Return what our program knows of exports. Their folder outlasts the passphrase: they are encrypted for others."""
    if not (settings.export and settings.repository):
        return {}
    return {
        "folder": f"{repository_root(settings.repository)}/{history}/exports",
        "keep_days": settings.export.keep_days,
        "max_age": longest_pause(settings.export.at) + EXPORT_LATE,
    }


def bucket_settings(number: int, repository: Repository) -> dict[str, object] | None:
    """Return how our program reaches a repository's bucket; None for what is none."""
    if not isinstance(repository, S3):
        return None
    return {
        "bucket": repository.bucket,
        "endpoint": repository.endpoint,
        "region": repository.region,
        "style": repository.style,
        "certificates": certificates_path(number) if repository.certificates else "",
        "locked": repository.locked,
    }
