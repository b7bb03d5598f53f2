"""How a host asks its pooler, and tries a configuration before it is put in place."""

from __future__ import annotations

import shlex

from deploys.stack import Stack

INI, USERLIST = "/etc/pgbouncer/pgbouncer.ini", "/etc/pgbouncer/userlist.txt"
SOCKET = "/run/pgbouncer"
# The password goes from the file to psql through a pipe: it is in no argument, environment or temporary file.
_PASSWORD = f"""sed -n 's/^"[^"]*" "\\(.*\\)"$/\\1/p' {USERLIST} | sed 's/""/"/g'"""


def query(stack: Stack, statement: str, told: str = _PASSWORD) -> str:
    """Return shell that asks through the pooler as the API does, and prints the answer.

    + told: a shell command that prints the password.
    """
    service = (
        f"[pooler]\\nhost=127.0.0.1\\nport={stack.pooler_port}\\ndbname={stack.database}\\nuser={stack.database_user}"
    )
    psql = "PGSERVICEFILE=/dev/stdin PGCONNECT_TIMEOUT=10 psql -XAtqw -v ON_ERROR_STOP=1"
    return (
        f"{{ printf '{service}\\nsslmode=disable\\npassword='; {told}; }} | "
        f"{psql} -d service=pooler -c {shlex.quote(statement)}"
    )


def console(stack: Stack, statement: str) -> str:
    """Return shell that asks PgBouncer about itself: its own account may, over its socket, without a password."""
    psql = f"psql -XAtqw -h {SOCKET} -p {stack.pooler_port} -U pgbouncer -d pgbouncer"
    return f"cd /; runuser -u postgres -- {psql} -c {shlex.quote(statement)}"


def serving(stack: Stack) -> str:
    """Return a test that succeeds when the API's role gets an answer from PostgreSQL through the pooler."""
    return f'test "$({query(stack, "select current_user")})" = {stack.database_user}'


def valid(file: str) -> str:
    """Return a test that runs PgBouncer with `file` for a moment, out of everyone's way: it has no other check."""
    return f"""tmp=$(mktemp -d) && trap 'rm -rf -- "$tmp"' EXIT &&
sed "s|^listen_addr = .*|listen_addr =|; s|^unix_socket_dir = .*|unix_socket_dir = $tmp|" {file} > "$tmp/ini" &&
chown -R postgres "$tmp" && cd / && code=0 &&
runuser -u postgres -- timeout -s INT 1 pgbouncer -q "$tmp/ini" >&2 || code=$?; test "$code" = 124"""
