"""A process that was started is on record before it does anything, and is stopped by that record alone."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from healthv1.errors import Fault
from healthv1.sandbox.waiting import until

# The new process writes its own record, then becomes the program: there is no moment when it runs without one.
_RECORD = """echo 0 >"$1/cgroup.procs" && read -r stat </proc/$$/stat && echo "$stat" >"$2" || exit
shift 2; exec "$@" """


def start(
    argv: list[str], *, record: Path, group: Path, log: Path, environment: Mapping[str, str] | None = None
) -> None:
    """Start a program that outlives us. `record` gets its line of /proc/PID/stat, `log` what it says."""
    with open(log, "ab", opener=_private) as output:
        subprocess.Popen(
            ["sh", "-c", _RECORD, "start", str(group), str(record), *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", **(environment or {})},
        )


def alive(record: Path) -> bool:
    return _process(record) is not None


def stop(record: Path, *, grace: float) -> None:
    """Ask it to end, and wait for at most `grace` seconds; then kill it. Without grace, kill it at once."""
    if grace:
        _signal(record, signal.SIGTERM, grace)
    _signal(record, signal.SIGKILL, 5)
    record.unlink(missing_ok=True)


def await_record(record: Path, log: Path) -> None:
    """Wait until a process that was just started is on record."""
    until(lambda: alive(record), Fault(str(log), "the process did not start."), seconds=5, pause=0.01)


def _signal(record: Path, number: signal.Signals, seconds: float) -> None:
    process = _process(record)
    if process is None:
        return
    with suppress(ProcessLookupError):
        os.kill(process, number)
    end = time.monotonic() + seconds
    while alive(record) and time.monotonic() < end:
        time.sleep(0.02)


def _process(record: Path) -> int | None:
    """Return the id on record, if it still is that process: an id alone may by now be somebody else's."""
    recorded = _stat(record)
    if not recorded:
        return None
    now = _stat(Path(f"/proc/{recorded[0]}/stat"))
    is_alive = now is not None and now[1] == recorded[1] and now[2] != "Z"
    return int(recorded[0]) if is_alive else None


def _stat(path: Path) -> tuple[str, str, str] | None:
    """Return id, time of start and state. See proc_pid_stat(5); the name in parentheses may hold anything."""
    with suppress(OSError, IndexError):
        before, _, after = path.read_text(encoding="utf-8", errors="replace").rpartition(")")
        fields = after.split()
        return before.split()[0], fields[19], fields[0]
    return None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
