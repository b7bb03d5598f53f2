"""A nightly export: a logical dump for whoever holds a private key, encrypted before it leaves the pipe that made it.

It is streamed into the repository, into a folder of its own: nothing of it is ever plain, or as a whole, on a disk
here. A manifest beside it comes last: an export without one is half of one, and counts for nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import IO, Any

from healthv1_backup import exports, notes
from healthv1_backup.exports import Manifest
from healthv1_backup.processes import AS_POSTGRES, ENVIRONMENT, Failed, run, say
from healthv1_backup.settings import RUN, Settings

SCRIPT = "/etc/health-v1/export.sh"
"""Writes an age file of the database to stdout, and says on stderr what is in it: the deploy's `dump`."""
NOTE = "export"
CHUNK = 1 << 20  # bytes
MESSAGES = 5


@dataclass(frozen=True)
class Noted:
    """What the claim and the metrics tell. Times are in seconds since 1970."""

    last_try: int = 0
    last_success: int = 0
    why: str = ""
    """Why the last one failed; empty: it did not."""
    name: str = ""
    """Of the newest one that is whole."""
    size: int = 0

    @classmethod
    def read(cls) -> Noted:
        document = notes.read(NOTE)
        return cls(**document) if document else cls()


def export(settings: Settings) -> Manifest:
    """Make an export, and remove those that are too old. Raises `Failed`."""
    with _alone():
        before, began = Noted.read(), int(time.time())
        _note(settings, Noted(began, before.last_success, before.why, before.name, before.size))
        try:
            made = _made(settings, began)
            removed = exports.remove_old(settings, began)
        except Failed as error:
            _note(settings, Noted(began, before.last_success, str(error), before.name, before.size))
            raise
        _note(settings, Noted(began, made.began, "", made.name, made.size))
    say(f"Exported {made.size} bytes as {made.name}; {len(removed)} files of older ones were removed.")
    return made


@contextmanager
def _alone() -> Iterator[None]:
    RUN.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (RUN / "export-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@dataclass
class _Report:
    """What the script says of a dump while it streams."""

    tables: dict[str, int] = field(default_factory=dict)
    sha256: str = ""
    messages: list[str] = field(default_factory=list)

    def listen(self, stream: IO[bytes]) -> None:
        for raw in stream:
            word, _, rest = raw.decode(errors="replace").strip().partition(" ")
            if word == "@rows":
                count, _, table = rest.partition(" ")
                self.tables[table.replace('"', "")] = int(count)
            elif word == "@sha256":
                self.sha256 = rest
            elif word != "@begin" and len(self.messages) < MESSAGES:
                self.messages.append(f"{word} {rest}".strip())

    @property
    def why(self) -> str:
        return "; ".join(self.messages) or "it did not say why"


def _made(settings: Settings, began: int) -> Manifest:
    name = exports.name_of(began)
    report, digest, size = _streamed(settings, f"{name}.age")
    if exports.listed(settings).get(f"{name}.age") != size:
        raise Failed(f"{name}.age is not in the repository as it was sent")
    manifest = Manifest(
        name=name,
        host=platform.node(),
        database=settings.database,
        postgresql=settings.version,
        began=began,
        ended=int(time.time()),
        size=size,
        sha256=digest,
        tables=report.tables,
    )
    text = json.dumps(asdict(manifest), indent=2) + "\n"
    ended = run([*exports.call(settings, "repo-put", f"{name}.json")], stdin=text)
    if ended.code:
        raise Failed(f"the manifest could not be written: {ended.why}")
    return manifest


def _streamed(settings: Settings, file: str) -> tuple[_Report, str, int]:
    """Dump into a file of the repository; return what was said, the digest and the size. Raises `Failed`: no file."""
    report, digest, size = _Report(), hashlib.sha256(), 0
    nice = ("nice", "-n", "19", "bash", SCRIPT)
    with (
        subprocess.Popen([*AS_POSTGRES, *nice], stdin=subprocess.DEVNULL, **_PIPES) as source,
        subprocess.Popen(
            [*AS_POSTGRES, *exports.call(settings, "repo-put", file)], stdin=subprocess.PIPE, **_PIPES
        ) as sink,
    ):
        assert source.stdout
        assert source.stderr
        assert sink.stdin
        listening = threading.Thread(target=report.listen, args=(source.stderr,))
        listening.start()
        try:
            while chunk := source.stdout.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
                sink.stdin.write(chunk)
            whole = source.wait() == 0
            listening.join()
            if whole and report.sha256 == digest.hexdigest():
                sink.stdin.close()
                refused = _words(sink) if sink.wait() else ""
            else:
                refused = f"the dump failed: {report.why}"
        except BrokenPipeError:
            refused = _words(sink)
        except BaseException:
            _stop(sink, source)
            raise
        # It would take an end of its input for the end of the file: it is stopped before it sees one.
        _stop(sink, source)
        listening.join()
    if refused:
        for left in (file, f"{file}{exports.UNFINISHED}"):
            run([*exports.call(settings, "repo-rm", left)], 60)
        raise Failed(refused)
    return report, digest.hexdigest(), size


_PIPES: dict[str, Any] = {
    "stdout": subprocess.PIPE,
    "stderr": subprocess.PIPE,
    "cwd": "/",
    "env": ENVIRONMENT,
    "start_new_session": True,
}


def _words(sink: subprocess.Popen[bytes]) -> str:
    words = sink.stderr.read().decode(errors="replace") if sink.stderr else ""
    return f"the repository did not take it: {' '.join(words.split())[-300:] or sink.wait()}"


def _stop(*processes: subprocess.Popen[bytes]) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        with suppress(BrokenPipeError):
            if process.stdin:
                process.stdin.close()


def _note(settings: Settings, noted: Noted) -> None:
    notes.write(NOTE, asdict(noted))
    notes.measure("export", metrics(noted, settings.exports["max_age"]))


def metrics(noted: Noted, max_age: int) -> dict[str, tuple[str, float]]:
    return {
        "healthv1_export_success": ("1 when the last export succeeded.", float(bool(noted.name) and not noted.why)),
        "healthv1_export_last_success_timestamp_seconds": (
            "When the newest export began that is whole.",
            float(noted.last_success),
        ),
        "healthv1_export_last_try_timestamp_seconds": ("When an export was last begun.", float(noted.last_try)),
        "healthv1_export_size_bytes": ("Bytes of the newest export.", float(noted.size)),
        "healthv1_export_max_age_seconds": ("After so long without an export it is overdue.", float(max_age)),
    }
