"""psql on the database's host, at the terminal or with statements on stdin. A login's password touches no disk.

It goes over SSH on stdin into a file of a tmpfs, which is removed when that connection ends, however it ends.
"""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from healthv1.errors import Fault, HostError
from healthv1.secrets.vault.database_logins import Lease

SOCKETS = "/var/run/postgresql"
SSH_FAILED = 255  # ssh's own exit code
# The last command waits until our end closes; then, and when it is killed, the trap removes the file.
# One line, without a `!`: the login shell may be csh. What it says by itself is told from ours by the first word.
_HOLD_PASSFILE = (
    "umask 077; d=$(mktemp -d /dev/shm/health-v1.XXXXXXXX) || exit 1; "
    "trap 'rm -rf \"$d\"' EXIT; trap 'exit 1' HUP INT TERM; "
    'IFS= read -r line && printf \'%s\\n\' "$line" > "$d/pass" && echo "kept $d" && cat > /dev/null'
)
# Nothing that is typed or shown is kept: it may name patients. A pager writes no files.
_NO_HISTORY = "PSQL_HISTORY=/dev/null HISTFILE=/dev/null LESSHISTFILE=- LESSSECURE=1 LESS=FRX PGAPPNAME=healthv1"


@dataclass(frozen=True)
class PsqlPlace:
    """The database that psql connects to."""

    ssh: list[str]
    """The start of a command line that ends with the host."""
    name: str
    port: int
    database: str


def as_postgres(place: PsqlPlace, statements: str | None) -> bool:
    """Open psql as the cluster's superuser. Returns whether it ended well."""
    psql = f"cd / && sudo -u postgres env {_NO_HISTORY} psql -X -p {place.port} {_ending(place, statements)}"
    return _run(place, psql, statements)


def as_reader(place: PsqlPlace, lease: Lease, statements: str | None) -> bool:
    """Open psql with the login that was made for this session. Returns whether it ended well."""
    with _passfile_on_host(place, passfile(lease)) as folder:
        psql = (
            f"env PGPASSFILE={shlex.quote(folder)}/pass {_NO_HISTORY} psql -X -w -h {SOCKETS} -p {place.port}"
            f" -U {shlex.quote(lease.user)} {_ending(place, statements)}"
        )
        return _run(place, psql, statements)


def passfile(lease: Lease) -> str:
    """Return the line that libpq reads a password from."""
    user, password = (text.replace("\\", "\\\\").replace(":", "\\:") for text in (lease.user, lease.password))
    return f"*:*:*:{user}:{password}\n"


def _ending(place: PsqlPlace, statements: str | None) -> str:
    script = "" if statements is None else " -q -v ON_ERROR_STOP=1 -f -"
    return f"-d {shlex.quote(place.database)}{script}"


def _run(place: PsqlPlace, psql: str, statements: str | None) -> bool:
    terminal = ["-t"] if statements is None and sys.stdin.isatty() else []
    argv = [place.ssh[0], *terminal, *place.ssh[1:], psql]
    sys.stdout.flush()
    if statements is None:
        done = subprocess.run(argv, check=False)
    else:
        done = subprocess.run(argv, input=statements.encode(), check=False)
    if done.returncode == SSH_FAILED:
        raise HostError(
            Fault(
                place.name,
                "SSH could not get there, or lost it.",
                "see whether it is up, and what the inventory says of it",
            )
        )
    return done.returncode == 0


@contextmanager
def _passfile_on_host(place: PsqlPlace, line: str) -> Iterator[str]:
    """Keep a line in a file that nobody else can read, and yield the folder on the host that it is in."""
    with signals_ignored():  # its connection outlives a Ctrl-C: it has to clean up
        keeper = subprocess.Popen(
            [*place.ssh, f"sh -c {shlex.quote(_HOLD_PASSFILE)}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    try:
        keeper.stdin.write(line)
        keeper.stdin.flush()
        folder = next((line[5:].strip() for line in keeper.stdout if line.startswith("kept ")), "")
        if not folder:
            raise HostError(Fault(place.name, "No file could be kept there in memory.", "check SSH and /dev/shm"))
        yield folder
    finally:
        with signals_ignored():
            keeper.stdin.close()
            keeper.wait()
            keeper.stdout.close()


@contextmanager
def signals_ignored() -> Iterator[None]:
    """Ignore SIGINT, SIGTERM and SIGHUP in this context, and in the processes that it starts."""
    kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {kind: signal.signal(kind, signal.SIG_IGN) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


@contextmanager
def signals_as_exit() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into `SystemExit`, so that contexts are unwound as by Ctrl-C."""

    def stop(kind: int, _frame: object) -> None:
        raise SystemExit(128 + kind)

    kinds = (signal.SIGTERM, signal.SIGHUP)
    before = {kind: signal.signal(kind, stop) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
