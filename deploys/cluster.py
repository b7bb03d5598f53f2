"""A PostgreSQL cluster as Debian manages it: its paths, its units, and how root queries it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from deploys.paths import STAMPS

NAME = "health"
"""Our own name: the distribution's `main` belongs to the owner. A hyphen would be read as a slash by the unit."""


@dataclass(frozen=True)
class Cluster:
    version: int
    port: int
    name: str = NAME
    """`main` on hosts deployed by earlier versions, which used the distribution's cluster."""

    def __str__(self) -> str:
        return f"{self.version}/{self.name}"

    @property
    def unit(self) -> str:
        """The cluster's own unit: `postgresql.service` is active even while the cluster is down."""
        return f"postgresql@{self.version}-{self.name}.service"

    @property
    def start_unit(self) -> str:
        """The unit for After= in dependent units. The owner may have disabled `postgresql.service`.

        Where ours is the distribution's cluster the unit stays as it was: nothing there has to restart.
        """
        return self.unit if self.name == NAME else "postgresql.service"

    @property
    def configuration(self) -> str:
        return f"/etc/postgresql/{self.version}/{self.name}"

    @property
    def data(self) -> str:
        return f"/var/lib/postgresql/{self.version}/{self.name}"

    @property
    def restored(self) -> str:
        """The folder of what a restore keeps beside the data: as secret as they are."""
        return f"{self.data}.restored"

    @property
    def served_marker(self) -> str:
        """A file that exists once the cluster has run for us."""
        return f"{STAMPS}/{self.unit}.restart"

    @property
    def auto_conf(self) -> str:
        """The file that ALTER SYSTEM writes: it overrides every other file."""
        return f"{self.data}/postgresql.auto.conf"

    @property
    def psql(self) -> str:
        """The start of a psql command; a database and further options follow.

        It fails if another cluster listens on the port: the owner's cluster is neither queried nor changed.
        """
        is_ours = f'[ "$(sed -n 2p /var/run/postgresql/.s.PGSQL.{self.port}.lock 2>/dev/null)" -ef {self.data} ]'
        # cd: else psql prints "Permission denied" for root's home. The psql in PATH is Debian's wrapper, which takes
        # twice as long to start.
        psql = f"/usr/lib/postgresql/{self.version}/bin/psql -XAtqw -v ON_ERROR_STOP=1"
        return f"cd /; {is_ours} && {self.as_postgres} {psql} -p {self.port} -d"

    @property
    def as_postgres(self) -> str:
        """The start of a command run as postgres. Unlike runuser, setpriv opens no session."""
        return "setpriv --reuid=postgres --regid=postgres --init-groups"

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Return a shell command that runs a statement. It is visible in the process list: never pass a secret."""
        return f"{self.psql} {shlex.quote(database)} -c {shlex.quote(statement)}"

    def holds(self, condition: str, database: str = "postgres") -> str:
        """Return a shell command that succeeds when the SQL condition is true."""
        return f'test "$({self.sql(f"select {condition}", database)})" = t'
