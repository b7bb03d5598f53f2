"""The PgBouncer that is ours: where its parts are, on new hosts and where it took the distribution's place."""

from __future__ import annotations

from dataclasses import dataclass

from deploys.packaged import PGBOUNCER


@dataclass(frozen=True)
class Pooler:
    name: str = "health-v1-pgbouncer"
    """The mark `pgbouncer`: a unit of ours, or "pgbouncer" on hosts that were deployed with the packaged one."""

    @classmethod
    def from_marks(cls, marks: dict[str, str]) -> Pooler:
        return cls(marks["pgbouncer"]) if "pgbouncer" in marks else cls()

    @property
    def unit(self) -> str:
        return f"{self.name}.service"

    @property
    def unit_file(self) -> str:
        """Where the definition lies that we write; the packaged one stays the package's."""
        return f"/etc/systemd/system/{self.unit}"

    @property
    def drop_in(self) -> str:
        return f"{self.unit_file}.d"

    @property
    def is_packaged(self) -> bool:
        """Whether it took the place of the distribution's."""
        return self.name == PGBOUNCER.name

    @property
    def ini(self) -> str:
        return PGBOUNCER.configuration if self.is_packaged else "/etc/pgbouncer/health-v1.ini"

    @property
    def userlist(self) -> str:
        return f"/etc/pgbouncer/{'userlist' if self.is_packaged else 'health-v1-userlist'}.txt"

    @property
    def run(self) -> str:
        """The folder of its socket, below /run."""
        return self.name

    @property
    def sockets(self) -> str:
        return f"/run/{self.run}"

    @property
    def program(self) -> tuple[str, ...]:
        """What it has to take up when the package is renewed, which restarts the distribution's unit alone."""
        return () if self.is_packaged else ("/usr/sbin/pgbouncer",)
