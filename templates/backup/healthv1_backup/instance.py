"""A PostgreSQL instance beside the live one: restored data, a socket of its own, and no configuration of the host's.

It archives nothing, listens on no address, and nobody but postgres gets in. It ends with the process that started it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from healthv1_backup.control import Control, highest_limits, read_control
from healthv1_backup.processes import AS_POSTGRES, ENVIRONMENT, Failed, pgbackrest, run, sql
from healthv1_backup.settings import Settings

MARK = ".healthv1"
"""A file in each folder of ours: a folder without it is nobody's to touch."""
PORT = 5499
"""It only names the socket."""
ROOM = 1.3
"""Of the backup's size: its files, and the WAL that is replayed into them."""
MEMORY = 256 * 2**20
"""Bytes: 64 MB of buffers, and what checks take."""
NOT_REACHED = "recovery ended before configured recovery target was reached"
_LAST = "last completed transaction was at log time"
_STOP = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


class TargetNotReached(Failed):
    """The archive ends, or has a hole, before the moment that was asked for."""

    code = 4


@dataclass(frozen=True)
class Target:
    """Where recovery is to end."""

    kind: str = "latest"
    """latest, time, lsn, name; immediate: as soon as the backup is consistent."""
    value: str = ""
    """A time as "2026-11-29 08:30:00+00", a position in the WAL, or the name of a restore point."""
    timeline: int = 0
    """0: the newest one."""

    def words(self) -> list[str]:
        """Return pgBackRest's options."""
        words = [f"--type={'default' if self.kind == 'latest' else self.kind}"]
        if self.kind != "latest":
            words.append("--target-action=promote")
        if self.value:
            words.append(f"--target={self.value}")
        if self.timeline and self.kind != "immediate":
            words.append(f"--target-timeline={self.timeline}")
        return words

    def __str__(self) -> str:
        return {"latest": "the latest moment", "immediate": "the end of the backup"}.get(self.kind, self.value)


@dataclass(frozen=True)
class Instance:
    """A restored copy in a folder of its own, on the file system where its data are to lie."""

    settings: Settings
    folder: Path
    """Ours alone: everything of the copy is below it."""
    run: Path
    """Below /run: its log and its socket. It has to be short, for the socket's sake."""
    repository: int = 0
    """0: the first one that has what is asked for."""

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def spool(self) -> Path:
        """Return where WAL waits that was read ahead."""
        return self.folder / "spool"

    @property
    def log(self) -> Path:
        return self.run / "log"

    @property
    def socket(self) -> str:
        return str(self.run / "socket")

    @property
    def is_there(self) -> bool:
        return (self.folder / MARK).is_file()

    def make(self) -> None:
        """Make its folders. Raises `Failed` where something lies there that is not ours."""
        if self.folder.is_symlink() or (self.folder.exists() and not self.is_there and any(self.folder.iterdir())):
            raise Failed(f"{self.folder} is not ours: move it away")
        _directory(self.folder, 0o700)
        (self.folder / MARK).touch(0o600)
        for path in (self.data, self.spool, self.spool / "lock"):
            _directory(path, 0o700)
        self._make_run()

    def remove(self) -> None:
        """Remove all of it. Killed in the middle it can be removed again: the mark goes last."""
        if not self.is_there:
            return
        for entry in sorted(self.folder.iterdir(), key=lambda path: path.name == MARK):
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        self.folder.rmdir()
        shutil.rmtree(self.run, ignore_errors=True)

    def restore(self, target: Target, label: str = "", *, go_on: bool = False) -> None:
        """Have pgBackRest write the backup into its data directory. Raises `Failed`.

        + label: of the backup; empty: pgBackRest chooses.
        + go_on: what a killed restore left is completed.
        """
        words = [
            *([f"--repo={self.repository}"] if self.repository else []),
            *(f"--pg1-path={self.data}", "--archive-mode=off", f"--lock-path={self.spool}/lock"),
            *target.words(),
            *([f"--set={label}"] if label else []),
            *(["--delta"] if go_on and (self.data / "PG_VERSION").exists() else []),
        ]
        if go_on and not (self.data / "PG_VERSION").exists():
            _empty(self.data)  # without PG_VERSION pgBackRest takes it for nobody's, and refuses --delta
        ended = pgbackrest(self.settings, *words, "restore")
        if ended.code:
            raise Failed(f"the restore failed ({ended.code}): {ended.why}")

    @contextmanager
    def serving(
        self,
        live: Control | None = None,
        *,
        durable: bool = True,
        stop: str = "fast",
        options: Mapping[str, str] | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> Iterator[None]:
        """Have it up, out of recovery, until the block ends. Raises `Failed`, or `TargetNotReached`.

        + live: of the cluster that it was copied from: what that one allows may be needed to replay its WAL.
        + durable: False for a copy that is thrown away: nothing is waited for to be on the disk.
        + stop: "fast" leaves data that are whole; "immediate" is for what is thrown away.
        """
        self._make_run()
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [*AS_POSTGRES, *self._command(live, durable, options or {})],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=ENVIRONMENT,
                start_new_session=True,
            )
        try:
            self._wait(process, tell)
            yield
        except BaseException:
            _end(process, "immediate")
            raise
        else:
            _end(process, stop)

    def ask(self, statement: str, database: str = "postgres", timeout: float | None = 30) -> list[list[str]]:
        """Return the rows that a statement gives. Raises `Failed`."""
        return sql(self.settings, statement, database, port=PORT, socket=self.socket, timeout=timeout)

    def program(self, name: str, *words: str) -> list[str]:
        """Return the call of one of PostgreSQL's programs that connects to it."""
        return [str(self.settings.programs / name), "-h", self.socket, "-p", str(PORT), *words]

    def _command(self, live: Control | None, durable: bool, options: Mapping[str, str]) -> list[str]:
        control = read_control(self.settings, self.data)
        limits = highest_limits(control, *([live] if live else []))
        parameters = {
            "config_file": f"{self.run}/postgresql.conf",
            "hba_file": f"{self.run}/pg_hba.conf",
            "ident_file": f"{self.run}/pg_ident.conf",
            "external_pid_file": f"{self.spool}/pid",
            "listen_addresses": "",
            "unix_socket_directories": self.socket,
            "unix_socket_permissions": "0700",
            "port": str(PORT),
            "ssl": "off",
            "archive_mode": "off",
            "restore_command": self._restore_command(),
            "shared_preload_libraries": "",
            "session_preload_libraries": "",
            "local_preload_libraries": "",
            "shared_buffers": "64MB",
            "max_wal_size": "256MB",
            "autovacuum": "off",
            "jit": "off",
            # Else WAL of a time when the live cluster allowed more than now would pause the recovery for good.
            "hot_standby": "off",
            "primary_conninfo": "",
            "cluster_name": self.run.name,
            # Its log tells of recovery, and never a statement: there may be a patient in it.
            "logging_collector": "off",
            "log_destination": "stderr",
            "log_statement": "none",
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
            "log_connections": "off",
            "log_disconnections": "off",
            **({} if durable else {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}),
            **{name: str(value) for name, value in limits.items()},
            **options,
        }
        words = [word for name, value in parameters.items() for word in ("-c", f"{name}={value}")]
        return [str(self.settings.programs / "postgres"), "-D", str(self.data), *words]

    def _restore_command(self) -> str:
        """Return how it reads WAL: with a spool and a lock of its own, or it waits for the live cluster's archiving."""
        words = [
            *self.settings.pgbackrest,
            f"--stanza={self.settings.stanza}",
            *([f"--repo={self.repository}"] if self.repository else []),
            *(f"--pg1-path={self.data}", f"--spool-path={self.spool}", f"--lock-path={self.spool}/lock"),
            "archive-get",
            "%f",
            '"%p"',
        ]
        return " ".join(words)

    def _make_run(self) -> None:
        _directory(self.run, 0o750, user=0)
        _directory(self.run / "socket", 0o700)
        for name, text in (
            ("postgresql.conf", ""),
            ("pg_hba.conf", "local all postgres peer\n"),
            ("pg_ident.conf", ""),
        ):
            _file(self.run / name, text)

    def _wait(self, process: subprocess.Popen[bytes], tell: Callable[[str], None]) -> None:
        told_at = time.monotonic()
        while True:
            if process.poll() is not None:
                raise _death(self._log_lines())
            if self._answers() and process.poll() is None:
                return
            if time.monotonic() - told_at > 10:
                told_at = time.monotonic()
                tell("WAL is being replayed")
            time.sleep(0.2)

    def _answers(self) -> bool:
        """Return whether it is out of recovery: during it, it takes no connection."""
        try:
            return self.ask("select pg_is_in_recovery()") == [["f"]]
        except Failed:
            return False

    def _log_lines(self) -> list[str]:
        try:
            return self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []


def _death(log: Sequence[str]) -> Failed:
    """Return why the instance died, from its log."""
    messages = [line.partition("FATAL:")[2].strip() for line in log if "FATAL:" in line]
    fatal = [line for line in messages if not line.startswith("the database system is ")]  # it was asked too early
    if any(NOT_REACHED in line for line in fatal):
        until = next((line.rpartition(_LAST)[2].strip() for line in reversed(log) if _LAST in line), "")
        known = f"; the last transaction in it is of {until}" if until else ""
        return TargetNotReached(f"{NOT_REACHED}: the archive ends before it, or has a hole{known}")
    last = fatal[0] if fatal else next((line for line in reversed(log) if line.strip()), "its log is empty")
    return Failed(f"the restored instance died: {last}")


def _end(process: subprocess.Popen[bytes], how: str) -> None:
    if process.poll() is None:
        process.send_signal(_STOP[how])
    try:
        process.wait(600 if how == "fast" else 30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def refuse_without_room(folder: Path, size: int) -> None:
    """Refuse a restore that the host has no disk or no memory for. Raises `Failed`.

    + folder: where it is to go, or the nearest one above that is there.
    + size: of the database, in bytes.
    """
    faults = shortages(size, free_room(folder), free_memory())
    if faults:
        raise Failed(f"{folder}: {' and '.join(faults)}")


def shortages(size: int, free: int, memory: int) -> list[str]:
    """Return what is not enough for a copy of a database of `size` bytes."""
    lacking = []
    if free < size * ROOM:
        lacking.append(f"a restore needs {_mebibytes(size * ROOM)} of disk, and {_mebibytes(free)} are free")
    if memory < MEMORY:
        lacking.append(f"a restore needs {_mebibytes(MEMORY)} of memory, and {_mebibytes(memory)} are free")
    return lacking


def _mebibytes(size: float) -> str:
    return f"{size / 2**20:.0f} MiB"


def free_room(folder: Path) -> int:
    """Return the bytes that are free where a folder is, or is to be."""
    while not folder.exists():
        folder = folder.parent
    file_system = os.statvfs(folder)
    return file_system.f_bavail * file_system.f_frsize


def free_memory() -> int:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))


def _directory(path: Path, mode: int, user: int = -1) -> None:
    """Make a folder of postgres's, or of root's with postgres as its group."""
    postgres = pwd.getpwnam("postgres")
    path.mkdir(mode=mode, exist_ok=True)
    os.chown(path, postgres.pw_uid if user < 0 else user, postgres.pw_gid, follow_symlinks=False)
    path.chmod(mode)


def _file(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    os.chown(path, 0, pwd.getpwnam("postgres").pw_gid)
    path.chmod(0o640)


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


def stopped_checksums(instance: Instance) -> str:
    """Return what is wrong with the pages of a stopped copy; empty when nothing is."""
    ended = run([str(instance.settings.programs / "pg_checksums"), "--check", "-D", str(instance.data)])
    return ended.why if ended.code else ""
