"""Keys that the operator sends for one piece of work: they lie in memory (/run) alone, for postgres to read.

They come on stdin: never in an argument or an environment, which other processes of postgres could read.
"""

from __future__ import annotations

import os
import pwd
import re
from pathlib import Path

from healthv1_backup import notes
from healthv1_backup.processes import Failed

_LINE = re.compile(r"repo[12]-(cipher-pass|s3-key|s3-key-secret)=\S+")


def refuse_other_lines(text: str) -> None:
    """Raise `Failed` where there is another line than pgBackRest's keys in it."""
    for line in text.splitlines():
        if line and not (line == "[global]" or line[0] == "#" or _LINE.fullmatch(line)):
            raise Failed("what came as keys has another line than pgBackRest's keys")


def put(folder: Path, name: str, text: str) -> str:
    """Write keys into a folder that pgBackRest takes them from, and return that."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    notes.replace(folder / name, text, 0o600)
    postgres = pwd.getpwnam("postgres")
    for path in (folder / name, folder):
        os.chown(path, postgres.pw_uid, postgres.pw_gid)
    return str(folder)
