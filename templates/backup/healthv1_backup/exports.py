"""The exports in the repository: which there are, whether the newest is as its manifest says, and which are too old."""

from __future__ import annotations

import calendar
import hashlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from healthv1_backup import repository
from healthv1_backup.processes import AS_POSTGRES, ENVIRONMENT, Failed, run
from healthv1_backup.settings import DAY, Settings

UNFINISHED = ".pgbackrest.tmp"
"""What pgBackRest calls a file in a folder until it is whole."""
CHUNK = 1 << 20  # bytes
_OURS = re.compile(r"(\d{8}T\d{6}Z)\.(age|json)(\.pgbackrest\.tmp)?")
_TIME = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Manifest:
    """What an export is, as it was when it was made."""

    name: str
    host: str
    database: str
    postgresql: int
    """The major version that it comes from: this one, or a newer one, can read it."""
    began: int
    """In seconds since 1970, as `ended`."""
    ended: int
    size: int
    sha256: str
    """Of the age file."""
    tables: dict[str, int]
    """The rows by table, counted in the archive itself."""


def name_of(moment: int) -> str:
    return time.strftime(_TIME, time.gmtime(moment))


def moment_of(name: str) -> int:
    return calendar.timegm(time.strptime(name, _TIME))


def call(settings: Settings, *words: str) -> list[str]:
    """Return a call of pgBackRest on the folder of the exports. They are encrypted for others, so not once more."""
    raw = [] if words[0] in {"repo-rm", "repo-ls"} else ["--raw"]
    at = ["--repo=1", f"--repo1-path={settings.exports['folder']}"]
    return [*settings.pgbackrest, f"--stanza={settings.stanza}", *at, *raw, *words]


def listed(settings: Settings) -> dict[str, int]:
    """Return the sizes of the files by name. Raises `Failed`."""
    ended = run([*call(settings, "repo-ls"), "--output=json"], repository.ANSWER)
    if ended.code:
        raise Failed(f"exports cannot be listed: {repository.explained(ended.why)}")
    try:
        entries: dict[str, Any] = json.loads(ended.output or "{}")
    except ValueError:
        raise Failed("exports cannot be listed: pgBackRest answers in another way than expected") from None
    return {name: int(entry.get("size", 0)) for name, entry in entries.items() if entry.get("type") == "file"}


def whole(names: Iterable[str]) -> list[str]:
    """Return the exports that have a manifest, the oldest first."""
    there = set(names)
    stems = sorted({match[1] for name in there if (match := _OURS.fullmatch(name)) and not match[3]})
    return [stem for stem in stems if {f"{stem}.age", f"{stem}.json"} <= there]


def too_old(names: Iterable[str], keep_days: int, now: float) -> list[str]:
    """Return the files of ours that go: of exports beyond their days, and of halves. Never those of the newest."""
    there = sorted(names)
    complete = whole(there)
    gone = []
    for name in there:
        match = _OURS.fullmatch(name)
        if match is None or match[1] == (complete or [""])[-1]:
            continue
        days = keep_days if match[1] in complete else 1
        if now - moment_of(match[1]) > days * DAY:
            gone.append(name)
    # The manifest goes first: killed in between, what is left is a half.
    return sorted(gone, key=lambda name: (name.endswith(".age"), name))


def remove_old(settings: Settings, now: float) -> list[str]:
    """Remove what is too old, and return its names. Raises `Failed`."""
    names = too_old(listed(settings), settings.exports["keep_days"], now)
    for name in names:
        ended = run(call(settings, "repo-rm", name), repository.ANSWER)
        if ended.code:
            raise Failed(f"an old export could not be removed: {name}: {repository.explained(ended.why)}")
    return names


def newest(settings: Settings) -> Manifest:
    """Return the newest one that is whole. Raises `Failed`."""
    complete = whole(listed(settings))
    if not complete:
        raise Failed("no export is in the repository")
    ended = run(call(settings, "repo-get", f"{complete[-1]}.json"), repository.ANSWER)
    if ended.code:
        raise Failed(f"the manifest of {complete[-1]} cannot be read: {repository.explained(ended.why)}")
    try:
        return Manifest(**json.loads(ended.output))
    except (TypeError, ValueError):
        raise Failed(f"the manifest of {complete[-1]} is none") from None


def content(settings: Settings, name: str) -> Generator[bytes, None, None]:
    """Yield the encrypted bytes of an export, as the repository gives them. Raises `Failed`."""
    argv = [*AS_POSTGRES, *call(settings, "repo-get", f"{name}.age")]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    with subprocess.Popen(argv, cwd="/", env=ENVIRONMENT, start_new_session=True, **pipes) as source:
        assert source.stdout
        assert source.stderr
        try:
            while chunk := source.stdout.read(CHUNK):
                yield chunk
            words = source.stderr.read().decode(errors="replace")
            if source.wait():
                raise Failed(f"{name} cannot be read back: {repository.explained(words)}")
        finally:
            if source.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(source.pid, signal.SIGTERM)


def checked(settings: Settings, now: float) -> dict[str, Any]:
    """Read the newest export back, and return what it is and what is wrong with it."""
    try:
        manifest = newest(settings)
        digest, size = hashlib.sha256(), 0
        for chunk in content(settings, manifest.name):
            digest.update(chunk)
            size += len(chunk)
    except Failed as error:
        return {"faults": [str(error)]}
    export = {"name": manifest.name, "age": round(now - manifest.began), "size": size, "sha256": digest.hexdigest()}
    return {**export, "tables": len(manifest.tables), "faults": faults(manifest, settings, size, export["sha256"], now)}


def faults(manifest: Manifest, settings: Settings, size: int, sha256: Any, now: float) -> list[str]:
    wrong = []
    if (size, sha256) != (manifest.size, manifest.sha256):
        wrong.append(f"{manifest.name}.age is not what was exported: {size} bytes of {manifest.size}, or other ones")
    if now - manifest.began > settings.exports["max_age"]:
        wrong.append(f"the newest export, {manifest.name}, is {(now - manifest.began) / 3600:.0f} h old")
    return wrong
