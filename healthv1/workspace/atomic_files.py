"""A file is replaced as a whole or not at all, by one process at a time."""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import tempfile
import time
from collections.abc import Iterator
from glob import escape
from pathlib import Path
from typing import BinaryIO

from healthv1.errors import Fault, Refused
from healthv1.flocks import locked
from healthv1.output.redaction import redactor

PATIENCE = 10  # seconds that another process may take to write
STALE_AFTER = 3600  # seconds after which a temporary file has no writer any more


@contextlib.contextmanager
def folder_locked(path: Path) -> Iterator[None]:
    """Hold the lock on the folder of `path`. Raises `TimeoutError` and other `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)  # no lock file is left that could be committed
    try:
        with locked(folder, PATIENCE):
            yield
    finally:
        os.close(folder)


def replace(path: Path, text: str, mode: int = 0o600) -> None:
    """Write `text` beside `path`, on the disk for sure, and rename it. Raises `OSError`.

    What others read and write as well is to be replaced only while `folder_locked`.
    """
    path = path.resolve()
    _sweep(path)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def write(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file that a command was asked for, redacted like what is printed. Raises `Refused`: it is as it was."""
    if path.exists() and not path.is_file():  # a rename would put a file where a device was
        raise Refused(Fault(str(path), "It is not an ordinary file.", "choose another place"))
    try:
        replace(path, redactor.redact(text), mode)
    except OSError as error:
        raise Refused(Fault(str(path), f"It cannot be written: {error.strerror}.", "choose another place")) from None


def _sweep(path: Path) -> None:
    """Remove what killed processes left; a younger file may be another process's, which is writing it now."""
    for left in path.parent.glob(f".{escape(path.name)}.*.new"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > STALE_AFTER:
                left.unlink()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def arriving(path: Path) -> Iterator[BinaryIO]:
    """Yield a file of its owner's alone, beside `path`. It gets that name once the context ended well.

    So what arrives in parts never looks whole before it is, and on the disk. Nothing is replaced. Raises `OSError`.
    """
    path = path.parent.resolve() / path.name
    _sweep(path)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            yield file
            os.fsync(file.fileno())
        _give_name(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    _sync(path.parent)


def refuse_taken(path: Path) -> None:
    """Raises `Refused` when no new file can have this name: something has it, or its folder takes none."""
    folder = path.parent
    if os.path.lexists(path):
        raise Refused(Fault(str(path), "It is there already, and is not replaced.", "choose another name"))
    if not folder.is_dir():
        raise Refused(Fault(str(path), f"There is no folder {folder}.", f"mkdir -p {shlex.quote(str(folder))}"))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Refused(Fault(str(path), f"The folder {folder} cannot be written to.", "choose another place"))


def _give_name(beside: Path, path: Path) -> None:
    try:
        os.link(beside, path)  # unlike a rename it replaces nothing
    except FileExistsError:
        raise
    except OSError:  # a stick's file system has one name for each file
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        beside.rename(path)
