"""A drill that the operator asks for: it runs as the unit of the timer's, and goes on when the connection breaks.

What it is to use out of escrow comes on stdin, and lies in memory (/run) alone, for root and then for postgres: never
in an argument or an environment, which other processes of postgres could read.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from healthv1_backup import notes
from healthv1_backup.keys import put, refuse_other_lines
from healthv1_backup.processes import Failed
from healthv1_backup.settings import Settings

UNIT = "health-v1-drill.service"
RUN = Path("/run/health-v1-drill")
"""The unit's RuntimeDirectory: it goes with it."""
REQUEST = "health-v1-drill-request"
HOST, ESCROW = "the host's", "out of escrow"


_EXPORT = {
    "name": re.compile(r"\d{8}T\d{6}Z"),
    "header": re.compile(r"[A-Za-z0-9+/]{1,100000}={0,2}"),
    "identity": re.compile(r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
}


@dataclass(frozen=True)
class Asked:
    by: str = "timer"
    kind: str = HOST
    """Whose keys open the repositories."""
    keys: str = ""
    """Lines for pgBackRest's configuration, secret."""
    export: dict[str, str] = field(default_factory=dict)
    """The name of an export, a header for it, and the identity that opens this header, secret."""

    @property
    def is_from_escrow(self) -> bool:
        return self.kind == ESCROW


def ask(text: str, folder: Path = RUN.parent) -> None:
    """Have the unit run a drill for the operator, and return at once. Raises `Failed`.

    + text: JSON with `by`, and with `keys` where escrow's are to be used.
    """
    if is_active():
        raise Failed("another drill is under way")
    document = json.loads(text)
    keys = str(document.get("keys", ""))
    refuse_other_lines(keys)
    export = {name: str(value) for name, value in document.get("export", {}).items()}
    if export and not (set(export) == {*_EXPORT} and all(_EXPORT[name].fullmatch(export[name]) for name in export)):
        raise Failed("what came to open an export is something else")
    asked = {"by": str(document["by"])[:80], "kind": ESCROW if keys else HOST, "keys": keys, "export": export}
    notes.write(REQUEST, asked, folder)
    started = subprocess.run(
        ["systemctl", "start", "--no-block", UNIT], capture_output=True, text=True, check=False, timeout=60
    )
    if started.returncode:
        forget(folder)
        raise Failed(f"the drill cannot be started: {started.stderr.strip()}")


def taken(folder: Path = RUN.parent) -> Asked:
    """Return what was asked for, once: nothing of it stays. Without a request the timer asked."""
    document: dict[str, Any] = notes.read(REQUEST, folder)
    forget(folder)
    return Asked(**document) if document else Asked()


def forget(folder: Path = RUN.parent) -> None:
    notes.remove(REQUEST, folder)
    shutil.rmtree(folder / RUN.name / "keys", ignore_errors=True)


def with_keys(settings: Settings, asked: Asked) -> Settings:
    """Return settings whose pgBackRest uses the keys that were asked for."""
    if not asked.is_from_escrow:
        return replace(settings, keys=settings.reading_keys or Settings.keys)
    return replace(settings, keys=put(RUN / "keys", "escrow.conf", asked.keys))


def is_active() -> bool:
    """Whether a drill is under way, or about to begin."""
    states = subprocess.run(
        ["systemctl", "show", "-p", "ActiveState,Job", "--value", UNIT], capture_output=True, text=True, check=False
    ).stdout.split()
    return any(
        word in {"activating", "deactivating", "reloading"} or (word.isdigit() and word != "0") for word in states
    )
