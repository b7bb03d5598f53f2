"""What the deploy wrote for this program, and the paths of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

FILE = Path("/etc/health-v1/backup.json")
STATE = Path("/var/lib/healthv1/backup")
"""Our notes, mode 0700."""
MARK = STATE.parent / "ours/backup"
"""Exists once PostgreSQL archives: from then on nothing waits for escrow."""
METRICS = Path("/var/lib/healthv1/metrics")
"""One file in Prometheus' text format for each of us who measures."""
RUN = Path("/run/health-v1-backup")
DAY = 86_400
"""Seconds."""
CREDENTIALS = Path("/etc/health-v1/pgbackrest.d/health-v1.conf")
"""The keys, mode 0640."""
CANARY = "health_v1_canary"
"""A database of our own, with a row for each minute: the newest one in a restored copy tells how much was lost."""


@dataclass(frozen=True)
class Settings:
    stanza: str
    version: int
    """PostgreSQL's major version."""
    port: int
    data: str
    unit: str
    repositories: tuple[str, ...]
    """The folder in each repository, the first one first."""
    directories: tuple[str, ...]
    """Those repositories that are folders on this host."""
    keep_days: int
    archive_timeout: int
    """Seconds."""
    reserve: int
    """Bytes."""
    longest_pause: int
    """Seconds between two backups, as the timers have it."""
    database: str
    """The API's database."""
    owner: str
    """The role that owns it, and migrates it."""
    drill_max_age: int = 8 * DAY
    """Seconds after which a restore drill is due, at the latest."""
    keys: str = "/etc/health-v1/pgbackrest.d"
    """The folder with the passphrases and the keys to the repositories."""
    reading_keys: str = ""
    """The same with keys that read alone, for drills; empty: there are none."""
    live: bool = True
    """Whether the database serves on this host: a host for drills has none, and another's data may lie in its place."""
    drills: bool = True
    """Whether drills run here by themselves. Otherwise their claim and metrics are another host's."""
    exports: dict[str, Any] = field(default_factory=dict)
    """Of nightly exports: their folder in the first repository, `keep_days`, and `max_age` in seconds; empty: none."""
    buckets: tuple[dict[str, Any] | None, ...] = ()
    """Of each repository: its bucket, endpoint, region, style, certificates (a path), and whether it is locked."""
    hosts: tuple[str, ...] = ()
    """Of each repository: the address of the host of ours that keeps it, or empty."""
    places: tuple[str, ...] = ()
    """Each repository's folder with its bucket: what tells it from every other."""
    elsewhere: tuple[str, ...] = ()
    """What pgBackRest is told to read another folder than our own."""

    @property
    def pgbackrest(self) -> tuple[str, ...]:
        """Return the beginning of a call of pgBackRest, with our configuration."""
        return (
            "pgbackrest",
            "--config=/etc/health-v1/pgbackrest.conf",
            f"--config-include-path={self.keys}",
            *self.elsewhere,
        )

    def reading(self, number: int, folder: str, keys: str = "") -> Settings:
        """Return settings to read another folder of a repository. With them nothing is ever written.

        + keys: the folder with what opens it; empty: with our own.
        """
        return replace(self, elsewhere=(f"--repo{number}-path={folder}",), keys=keys or self.keys)

    @property
    def programs(self) -> Path:
        """Return the folder of PostgreSQL's programs."""
        return Path(f"/usr/lib/postgresql/{self.version}/bin")

    @property
    def locked(self) -> tuple[int, ...]:
        """Return the numbers of the repositories that are said to keep what is deleted."""
        return tuple(number for number, bucket in enumerate(self.buckets, 1) if bucket and bucket["locked"])

    def bucket(self, number: int) -> dict[str, Any]:
        bucket = self.buckets[number - 1]
        assert bucket is not None
        return bucket


def load(file: Path = FILE) -> Settings:
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in document.items()
    }
    return Settings(**values)
