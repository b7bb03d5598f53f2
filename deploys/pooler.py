"""Our PgBouncer: its paths, on new hosts and on old ones that use the packaged unit."""

from __future__ import annotations

from dataclasses import dataclass

from deploys.packaged import PGBOUNCER


@dataclass(frozen=True)
class Pooler:
    name: str = "health-v1-pgbouncer"
    """The mark `pgbouncer`: our own unit, or "pgbouncer" on hosts deployed with the packaged unit."""

    @classmethod
    def from_marks(cls, marks: dict[str, str]) -> Pooler:
        return cls(marks["pgbouncer"]) if "pgbouncer" in marks else cls()

    @property
    def unit(self) -> str:
        return f"{self.name}.service"

    @property
    def unit_file(self) -> str:
        """Our unit file; the packaged one stays as it is."""
        return f"/etc/systemd/system/{self.unit}"

    @property
    def drop_in(self) -> str:
        return f"{self.unit_file}.d"

    @property
    def is_packaged(self) -> bool:
        """Whether it uses the packaged unit."""
        return self.name == PGBOUNCER.name

    @property
    def ini(self) -> str:
        return PGBOUNCER.configuration if self.is_packaged else "/etc/pgbouncer/health-v1.ini"

    @property
    def userlist(self) -> str:
        return f"/etc/pgbouncer/{'userlist' if self.is_packaged else 'health-v1-userlist'}.txt"

    @property
    def run(self) -> str:
        """The folder of its socket, relative to /run."""
        return self.name

    @property
    def sockets(self) -> str:
        return f"/run/{self.run}"

    @property
    def program(self) -> tuple[str, ...]:
        """Binaries to restart on: a package upgrade restarts only the packaged unit."""
        return () if self.is_packaged else ("/usr/sbin/pgbouncer",)
