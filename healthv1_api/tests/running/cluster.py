"""A PostgreSQL cluster with the two roles of a deployment, and PgBouncer in transaction mode before it."""

import secrets
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from running.daemon import LOOPBACK, UNPRIVILEGED, Daemon, free_port, hand_over
from running.programs import program

OWNER, APPLICATION = "health_owner", "health_app"
POOLER = """
[databases]
* = host=127.0.0.1 port={database_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {directory}/users
pool_mode = transaction
server_login_retry = 1
"""


def password() -> str:
    """Random, with what URLs and quoting trip over."""
    return f"{secrets.token_urlsafe(16)}/@#%:? "


@dataclass
class Cluster:
    directory: Path
    postgresql: Daemon
    pgbouncer: Daemon
    passwords: dict[str, str]

    def url(self, role: str, database: str, port: int) -> str:
        return f"postgresql://{role}:{quote(self.passwords[role], safe='')}@{LOOPBACK}:{port}/{database}"

    def start(self) -> None:
        self.postgresql.start()
        deadline = time.monotonic() + 30
        while self._psql("postgres", "SELECT 1").returncode != 0 and time.monotonic() < deadline:
            time.sleep(0.05)

    def sql(self, database: str, statement: str, role: str = "postgres") -> str:
        answer = self._psql(database, statement, role)
        if answer.returncode != 0:
            raise RuntimeError(answer.stderr)
        return answer.stdout.strip()

    def psql_command(self, database: str, role: str = "postgres") -> list[str]:
        url = self.url(role, database, self.postgresql.port)
        return [program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", url]

    def _psql(self, database: str, statement: str, role: str = "postgres") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.psql_command(database, role), "-c", statement], capture_output=True, text=True, check=False
        )


def make_cluster(directory: Path) -> Cluster:
    pooler = [program("pgbouncer"), str(directory / "pgbouncer.ini")]
    passwords = {role: password() for role in ("postgres", OWNER, APPLICATION)}
    (directory / "superuser").write_text(passwords["postgres"])
    (directory / "users").write_text(f'"{APPLICATION}" "{passwords[APPLICATION]}"\n')
    database_port, port = free_port(), free_port()
    (directory / "pgbouncer.ini").write_text(POOLER.format(database_port=database_port, port=port, directory=directory))
    hand_over(directory)
    _initialize(directory)
    return Cluster(
        directory,
        Daemon(_postgres(directory, database_port), database_port, directory / "postgresql.log", signal.SIGINT),
        Daemon(pooler, port, directory / "pgbouncer.log", signal.SIGINT),
        passwords,
    )


def _initialize(directory: Path) -> None:
    how = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--username=postgres"]
    argv = [program("initdb"), *how, f"--pwfile={directory}/superuser", str(directory / "data")]
    subprocess.run(argv, check=True, capture_output=True, **UNPRIVILEGED)


def _postgres(directory: Path, port: int) -> list[str]:
    settings = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"]
    return [program("postgres"), "-D", str(directory / "data"), *(part for pair in settings for part in ("-c", pair))]
