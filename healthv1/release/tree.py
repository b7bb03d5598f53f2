"""A release's folder: a virtual environment that only has to be unpacked, and the archive of it."""

from __future__ import annotations

import gzip
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

FORMAT = 2
"""Of the folder. Another one gives each release another name, and a host takes it for another release."""
WRITTEN = 315_532_800
"""The time of each file: 1 January 1980, so that the same sources give the same bytes."""


def make(folder: Path, python: str, entry: tuple[str, str, str]) -> Path:
    """Write what makes a folder `venv` a virtual environment of /usr/bin/python3. Returns where its modules belong.

    + entry: a command, and the module and the function that it calls. The host writes its first line: it alone knows
      where the release lies, and a kernel follows no relative path there.
    """
    name, module, function = entry
    venv = folder / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "pyvenv.cfg").write_text(f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {python}\n")
    (venv / "bin/python").symlink_to("/usr/bin/python3")
    script = venv / "bin" / name
    script.write_text(f"#!python -I\nimport sys\n\nfrom {module} import {function}\n\nsys.exit({function}())\n")
    script.chmod(0o755)
    return venv / "lib" / f"python{python}" / "site-packages"


def pack(folder: Path, path: Path) -> None:
    """Write the same bytes for the same files."""
    with gzip.GzipFile(path, "wb", compresslevel=1, mtime=0) as stream, tarfile.open(fileobj=stream, mode="w") as tar:
        for entry in _entries(folder):
            info = tarfile.TarInfo(str(entry.relative_to(folder)))
            info.mtime = WRITTEN
            if entry.is_symlink():
                info.type, info.linkname = tarfile.SYMTYPE, str(entry.readlink())
                tar.addfile(info)
                continue
            info.size = entry.stat().st_size
            info.mode = 0o755 if entry.stat().st_mode & 0o100 else 0o644
            with entry.open("rb") as content:
                tar.addfile(info, content)
            time.sleep(0)  # lets others go on, among them who renews the lock


def _entries(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_symlink() or path.is_file())
