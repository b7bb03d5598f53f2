"""One database of its own per test, owned by the owner role; the application role may only connect."""

import secrets
import subprocess
from dataclasses import dataclass

from running.cluster import APPLICATION, OWNER, Cluster


@dataclass
class Database:
    cluster: Cluster
    name: str

    @property
    def owner_url(self) -> str:
        return self.cluster.url(OWNER, self.name, self.cluster.postgresql.port)

    @property
    def pooled_url(self) -> str:
        return self.cluster.url(APPLICATION, self.name, self.cluster.pgbouncer.port)

    def sql(self, statement: str, role: str = "postgres") -> str:
        return self.cluster.sql(self.name, statement, role)

    def become_a_copy_of(self, other: "Database") -> None:
        self.cluster.sql("postgres", f"DROP DATABASE {self.name}")
        self.cluster.sql("postgres", f"CREATE DATABASE {self.name} TEMPLATE {other.name} OWNER {OWNER}")

    def session(self, statement: str) -> "subprocess.Popen[str]":
        """A psql that has run the statement and waits, its transaction open."""
        psql = subprocess.Popen(
            self.cluster.psql_command(self.name), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        psql.stdin.write(f"BEGIN; {statement}; SELECT 'held';\n")
        psql.stdin.flush()
        while "held" not in (line := psql.stdout.readline()):
            assert line, "psql ended early"
        return psql


def make_roles(cluster: Cluster) -> None:
    for role in (OWNER, APPLICATION):
        cluster.sql("postgres", f"CREATE ROLE {role} LOGIN PASSWORD '{cluster.passwords[role]}'")


def make_database(cluster: Cluster) -> Database:
    name = f"health_{secrets.token_hex(4)}"
    cluster.sql("postgres", f"CREATE DATABASE {name} OWNER {OWNER}")
    return Database(cluster, name)
