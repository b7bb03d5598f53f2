"""One PostgreSQL cluster of Debian's kind: where its parts are, and how the host's root asks it."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any, Literal

from deploys.facts.unit import APPLIED


@dataclass(frozen=True)
class Cluster:
    version: int
    port: int
    name: str = "main"

    @property
    def unit(self) -> str:
        """The unit that is acted on and watched: `postgresql.service` says active while this one is down."""
        return f"postgresql@{self.version}-{self.name}.service"

    @property
    def configuration(self) -> str:
        return f"/etc/postgresql/{self.version}/{self.name}"

    @property
    def data(self) -> str:
        return f"/var/lib/postgresql/{self.version}/{self.name}"

    @property
    def served(self) -> str:
        """A file that is there once the cluster has run for us."""
        return f"{APPLIED}/{self.unit}.restart"

    @property
    def altered(self) -> str:
        """Where ALTER SYSTEM keeps what it sets: it beats every other file."""
        return f"{self.data}/postgresql.auto.conf"

    @property
    def psql(self) -> str:
        """The start of a shell command that is followed by a database and more of psql's options."""
        # "Permission denied" for root's home would be psql's first line.
        return f"cd /; runuser -u postgres -- psql -XAtqw -v ON_ERROR_STOP=1 -p {self.port} -d"

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Return a shell command that runs a statement. Never one with a secret: it is seen in the process list."""
        return f"{self.psql} {shlex.quote(database)} -c {shlex.quote(statement)}"

    def holds(self, condition: str, database: str = "postgres") -> str:
        """Return a shell command that succeeds when the SQL condition is true."""
        return f'test "$({self.sql(f"select {condition}", database)})" = t'


@dataclass(frozen=True)
class Answer:
    """What a cluster said."""

    state: Literal["absent", "down", "up"] = "absent"
    """Of a cluster that is down nothing is known; one that never ran for us counts as absent."""
    rows: tuple[dict[str, Any], ...] = ()


def asking(cluster: Cluster, *questions: str) -> str:
    """Return shell that prints the state, then each answer. A question is a shell command that prints JSON lines."""
    asked = "\n".join(f"{{ {question}; }} 2>/dev/null || true" for question in questions)
    return f"""if {cluster.sql("select 1")} >/dev/null 2>&1; then echo up
{asked}
elif [ -s {cluster.data}/global/pg_control ] && [ -e {cluster.served} ]; then echo down
else echo absent; fi"""


def answered(output: list[str]) -> Answer:
    state, *rows = output
    if state not in {"absent", "down", "up"}:
        raise ValueError(f"unexpected answer: {state}")
    return Answer(state, tuple(json.loads(row) for row in rows))  # type: ignore[arg-type]  # just checked
