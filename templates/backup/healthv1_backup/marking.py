"""Restore points: names of moments to which the database can be restored."""

from __future__ import annotations

import re
import time

from healthv1_backup import notes
from healthv1_backup.processes import Failed, sql
from healthv1_backup.settings import Settings

NOTE = "marks"
KEPT = 200
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def mark(settings: Settings, name: str) -> dict[str, object]:
    """Make a restore point, and have it archived. Raises `Failed`.

    PostgreSQL takes the same name twice, and restores to the first one: so no name is used twice here.
    """
    if not NAME.fullmatch(name):
        raise Failed(f"{name}: a name has letters a to z, digits, dot, _ and -, and at most 63 of them")
    marks = notes.read(NOTE)
    if name in marks:
        raise Failed(f"{name}: a restore point of that name was made before")
    position = sql(settings, f"select pg_create_restore_point('{name}'), pg_walfile_name(pg_switch_wal())")[0][0]
    made = {"name": name, "position": position, "at": int(time.time())}
    newest = sorted([*marks.values(), made], key=lambda entry: entry["at"])[-KEPT:]
    notes.write(NOTE, {entry["name"]: entry for entry in newest})
    return made
