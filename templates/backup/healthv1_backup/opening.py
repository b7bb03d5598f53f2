"""The newest export restored into the throwaway copy of a drill that has what opens it.

Who asks for the drill has the private key, and keeps it. He gets the file's header, and sends one that a key made for
this drill opens: with it nothing else can be read.
"""

from __future__ import annotations

import base64
import os
import pwd
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from healthv1_backup import asking, exports, notes, proving
from healthv1_backup.instance import Instance
from healthv1_backup.processes import AS_POSTGRES, ENVIRONMENT, Failed
from healthv1_backup.settings import Settings

DATABASE = "health_v1_export"
HEADER = 1 << 16
"""Bytes: no header is longer."""
_END = b"\n--- "


def header(settings: Settings) -> dict[str, str]:
    """Return the newest export's name, and its header in base64. Raises `Failed`."""
    name, start = exports.newest(settings).name, b""
    stream = exports.content(settings, name)
    for chunk in stream:
        start += chunk
        if _length(start) or len(start) > HEADER:
            break
    stream.close()
    if not _length(start):
        raise Failed(f"{name}.age is no age file")
    return {"name": name, "header": base64.b64encode(start[: _length(start)]).decode()}


def _length(start: bytes) -> int:
    """Return how long the header is; 0: its end is not there."""
    mac = start.find(_END)
    return start.find(b"\n", mac + len(_END)) + 1 if mac >= 0 else 0


def restored(settings: Settings, copy: Instance, wanted: dict[str, str]) -> dict[str, Any]:
    """Restore the export into a database of the copy; return what was found. Raises `Failed`.

    + wanted: its name, a header, and the identity that opens it.
    """
    manifest, began = exports.newest(settings), time.monotonic()
    if manifest.name != wanted["name"]:
        raise Failed(f"{manifest.name} was made meanwhile, and {wanted['name']} was to be opened: try again")
    copy.ask(f'create database "{DATABASE}" template template0')
    _pipe(settings, copy, wanted)
    counted = proving.rows_of(lambda statement, database: copy.ask(statement, database, timeout=None), DATABASE)
    rows = {name: count for name, (count, _) in counted.items()}
    return {
        "seconds_to_restore": round(time.monotonic() - began, 1),
        "rows": sum(rows.values()),
        "restore_faults": compared(manifest.tables, rows),
    }


def compared(exported: dict[str, int], restored: dict[str, int]) -> list[str]:
    """Return the tables whose rows are not those of the manifest."""
    return [
        f"{table}: {restored.get(table, 'no')} rows are restored, and {exported.get(table, 'no')} were exported"
        for table in sorted({*exported, *restored})
        if exported.get(table) != restored.get(table)
    ]


def _pipe(settings: Settings, copy: Instance, wanted: dict[str, str]) -> None:
    identity = asking.RUN / "keys" / "export.key"
    notes.replace(identity, wanted["identity"] + "\n", 0o600)
    os.chown(identity, pwd.getpwnam("postgres").pw_uid, -1)
    open_it = [*AS_POSTGRES, "age", "-d", "-i", str(identity)]
    restore = copy.program("pg_restore", "--exit-on-error", "--no-owner", "--no-acl", f"--dbname={DATABASE}")
    like: dict[str, Any] = {"cwd": "/", "env": ENVIRONMENT, "stderr": subprocess.PIPE}
    with (
        subprocess.Popen(open_it, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **like) as opened,
        subprocess.Popen([*AS_POSTGRES, *restore], stdin=opened.stdout, **like) as restoring,
    ):
        assert opened.stdin
        assert opened.stdout
        opened.stdout.close()
        with suppress(BrokenPipeError):  # why it ended is said by whoever did
            for chunk in _with_header(exports.content(settings, wanted["name"]), base64.b64decode(wanted["header"])):
                opened.stdin.write(chunk)
        with suppress(BrokenPipeError):
            opened.stdin.close()
        ended = {"pg_restore": _end(restoring), "age": _end(opened)}
    wrong = [f"{name}: {words}" for name, (code, words) in ended.items() if code]
    if wrong:
        raise Failed("; ".join(wrong))


def _end(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    words = process.stderr.read().decode(errors="replace") if process.stderr else ""
    return process.wait(), " ".join(words.split())[:300]


def _with_header(chunks: Iterator[bytes], new: bytes) -> Iterator[bytes]:
    """Yield an age file with another header of the same file key."""
    start = b""
    for chunk in chunks:
        start += chunk
        if end := _length(start):
            yield new + start[end:]
            break
    yield from chunks
