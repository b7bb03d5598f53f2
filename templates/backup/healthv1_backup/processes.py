"""Programs that run as postgres: pgBackRest, psql and others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from healthv1_backup.settings import Settings

AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups")
ENVIRONMENT = {"HOME": "/var/lib/postgresql", "LC_ALL": "C.UTF-8", "PATH": os.environ.get("PATH", "/usr/bin:/bin")}
"""HOME: else libpq looks into root's."""
TIMED_OUT = 124


@dataclass(frozen=True)
class Ended:
    code: int
    output: str
    errors: str

    @property
    def why(self) -> str:
        """Return the last words of a program that failed."""
        lines = [line.strip() for line in (self.errors or self.output).splitlines() if line.strip()]
        return " ".join(lines[-4:]) or f"it ended with {self.code}"


class Failed(Exception):  # noqa: N818 - it reads as what happened
    """A program ended in a way that leaves nothing to go on with."""

    code = 1
    """The exit code of our program."""


def run(
    argv: Sequence[str], timeout: float | None = None, stdin: str = "", environment: Mapping[str, str] | None = None
) -> Ended:
    """Run a program as postgres, in a process group of its own: with the time over, all of it is killed.

    + timeout: seconds; None: as long as it takes.
    """
    with subprocess.Popen(
        [*AS_POSTGRES, *argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        cwd="/",
        env={**ENVIRONMENT, **(environment or {})},
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.communicate()
            return Ended(TIMED_OUT, "", f"no answer within {timeout:g} s")
        except BaseException:
            os.killpg(process.pid, 15)
            raise
    return Ended(process.returncode, output, errors)


def pgbackrest(settings: Settings, *words: str, timeout: float | None = None) -> Ended:
    """Run pgBackRest with our configuration."""
    return run([*settings.pgbackrest, f"--stanza={settings.stanza}", *words], timeout)


def sql(
    settings: Settings,
    statement: str,
    database: str = "postgres",
    *,
    port: int = 0,
    socket: str = "",
    timeout: float | None = 30,
) -> list[list[str]]:
    """Return the rows that a statement gives. Raises `Failed`.

    + socket: the folder of another instance's socket.
    """
    argv = [
        *(str(settings.programs / "psql"), "-XAtqw", "-v", "ON_ERROR_STOP=1", "-F", "\x1f"),
        *(("-h", socket) if socket else ()),
        *("-p", str(port or settings.port), "-d", database, "-f", "-"),
    ]
    # A row for each minute would else be two lines for each minute in the log that tells who did what.
    quiet = {"PGOPTIONS": "-c log_disconnections=off", "PGCONNECT_TIMEOUT": "10", "PGAPPNAME": "healthv1-backup"}
    ended = run(argv, timeout, statement, quiet)
    if ended.code:
        raise Failed(f"PostgreSQL does not answer: {ended.why}")
    return [line.split("\x1f") for line in ended.output.splitlines()]


def say(sentence: str) -> None:
    """Say it to the journal, or to the terminal."""
    print(sentence, file=sys.stderr, flush=True)
