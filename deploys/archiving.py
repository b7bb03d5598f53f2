"""What the database's backup and PostgreSQL agree on: PostgreSQL hands each finished WAL segment to pgBackRest."""

from __future__ import annotations

from dataclasses import dataclass

CONFIGURATION = "/etc/health-v1/pgbackrest.conf"
CREDENTIALS_FOLDER = "/etc/health-v1/pgbackrest.d"
"""The keys and passphrases of the repositories: root:postgres, 0640."""
READING_FOLDER = "/etc/health-v1/pgbackrest-read.d"
"""The same with the keys that read alone, where there are any."""
PGBACKREST = f"pgbackrest --config={CONFIGURATION} --config-include-path={CREDENTIALS_FOLDER}"
"""Ours reads its own configuration: the packaged one, and another cluster's backups, are the host's owner's."""


@dataclass(frozen=True)
class Archiving:
    """How PostgreSQL archives its WAL."""

    stanza: str
    timeout: int
    """Seconds after which a segment that is not full is archived as well: at most so much is lost with the host."""

    def parameters(self) -> dict[str, str]:
        """Return the parameters by name. `archive_mode` takes a restart."""
        return {
            "archive_mode": "on",
            "archive_command": f"{PGBACKREST} --stanza={self.stanza} archive-push %p",
            "archive_timeout": str(self.timeout),
        }
