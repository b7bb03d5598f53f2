"""How a host asks its pooler, and tries a configuration before it is put in place."""

from __future__ import annotations

import shlex

from deploys.pooler import Pooler
from deploys.stack import Stack

TIMEOUT_SECONDS = 10  # seconds


def query(pooler: Pooler, stack: Stack, user: str, statement: str, print_password: str = "") -> str:
    """Return shell that asks through the pooler as the API does when it logs in as `user`, and prints the answer.

    The password goes from the file to psql through a pipe: it is in no argument, environment or temporary file.
    Without a terminal psql reads what it prompts for from there, to the end of the line, blanks included. While
    PostgreSQL is down, the pooler may let it wait.

    + print_password: a shell command that prints another password than the right one.
    """
    print_password = print_password or f"""sed -n 's/^"{user}" "\\(.*\\)"$/\\1/p' {pooler.userlist} | sed 's/""/"/g'"""
    connection = f"host=127.0.0.1 port={stack.pooler_port} dbname={stack.database} user={user} sslmode=disable"
    psql = f"PGCONNECT_TIMEOUT={TIMEOUT_SECONDS} setsid -w timeout {TIMEOUT_SECONDS} psql -XAtqW -v ON_ERROR_STOP=1"
    report_timeout = f"{{ test $? -ne 124 || echo 'no answer within {TIMEOUT_SECONDS} s' >&2; false; }}"
    return f"{{ {print_password}; }} | {psql} -d '{connection}' -c {shlex.quote(statement)} || {report_timeout}"


def console(pooler: Pooler, stack: Stack, statement: str) -> str:
    """Return shell that asks PgBouncer about itself: its own account may, over its socket, without a password."""
    psql = f"psql -XAtqw -h {pooler.sockets} -p {stack.pooler_port} -U pgbouncer -d pgbouncer"
    return f"cd /; runuser -u postgres -- {psql} -c {shlex.quote(statement)}"


def is_serving(pooler: Pooler, stack: Stack, users: tuple[str, ...]) -> str:
    """Return a test that succeeds when each of the API's logins gets an answer from PostgreSQL through the pooler."""
    return " && ".join(f'test "$({query(pooler, stack, user, "select current_user")})" = {user}' for user in users)


def is_valid_configuration(file: str) -> str:
    """Return a test that runs PgBouncer with `file` for a moment, out of everyone's way: it has no other check."""
    return f"""tmp=$(mktemp -d) && trap 'rm -rf -- "$tmp"' EXIT &&
sed "s|^listen_addr = .*|listen_addr =|; s|^unix_socket_dir = .*|unix_socket_dir = $tmp|" {file} > "$tmp/ini" &&
chown -R postgres "$tmp" && cd / && code=0 &&
runuser -u postgres -- timeout -s INT 1 pgbouncer -q "$tmp/ini" >&2 || code=$?; test "$code" = 124"""
