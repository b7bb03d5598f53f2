"""One PostgreSQL cluster of Debian's kind: where its parts are, and how the host's root asks it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from deploys.paths import STAMPS

NAME = "health"
"""A name of our own: the distribution's `main` is the owner's. With a hyphen the unit would look for another folder."""


@dataclass(frozen=True)
class Cluster:
    version: int
    port: int
    name: str = NAME
    """`main` on hosts that were deployed while ours was the distribution's."""

    def __str__(self) -> str:
        return f"{self.version}/{self.name}"

    @property
    def unit(self) -> str:
        """The unit that is acted on and watched: `postgresql.service` says active while this one is down."""
        return f"postgresql@{self.version}-{self.name}.service"

    @property
    def start_unit(self) -> str:
        """The unit that starts ahead of what needs the cluster. Its owner may have `postgresql.service` off.

        Where ours is the distribution's, it is what it was, so that nothing there has to restart.
        """
        return self.unit if self.name == NAME else "postgresql.service"

    @property
    def configuration(self) -> str:
        return f"/etc/postgresql/{self.version}/{self.name}"

    @property
    def data(self) -> str:
        return f"/var/lib/postgresql/{self.version}/{self.name}"

    @property
    def served_marker(self) -> str:
        """A file that is there once the cluster has run for us."""
        return f"{STAMPS}/{self.unit}.restart"

    @property
    def auto_conf(self) -> str:
        """Where ALTER SYSTEM keeps what it sets: it beats every other file."""
        return f"{self.data}/postgresql.auto.conf"

    @property
    def psql(self) -> str:
        """The start of a shell command that is followed by a database and more of psql's options.

        It fails where another cluster listens on the port: nothing of ours is asked, or made, in the owner's.
        """
        is_ours = f'[ "$(sed -n 2p /var/run/postgresql/.s.PGSQL.{self.port}.lock 2>/dev/null)" -ef {self.data} ]'
        # "Permission denied" for root's home would be psql's first line. In the path there is only Debian's wrapper,
        # whose start takes twice as long as psql's own.
        psql = f"/usr/lib/postgresql/{self.version}/bin/psql -XAtqw -v ON_ERROR_STOP=1"
        return f"cd /; {is_ours} && {self.as_postgres} {psql} -p {self.port} -d"

    @property
    def as_postgres(self) -> str:
        """The start of a command that PostgreSQL's account runs: no session is opened for it, as runuser would."""
        return "setpriv --reuid=postgres --regid=postgres --init-groups"

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Return a shell command that runs a statement. Never one with a secret: it is seen in the process list."""
        return f"{self.psql} {shlex.quote(database)} -c {shlex.quote(statement)}"

    def holds(self, condition: str, database: str = "postgres") -> str:
        """Return a shell command that succeeds when the SQL condition is true."""
        return f'test "$({self.sql(f"select {condition}", database)})" = t'
