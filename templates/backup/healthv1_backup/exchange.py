"""Two data directories change places: at each moment there is a whole one under each name."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
HERE = -100  # AT_FDCWD
_UNKNOWN = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}
"""What a file system or a kernel says that cannot exchange."""


def exchange(one: Path, other: Path) -> None:
    """Exchange two directories of one file system, and have that on the disk. Raises `OSError`.

    Where `one` is missing `other` takes its place.
    """
    if one.exists():
        _exchange(one, other)
    else:
        other.rename(one)
    for folder in {one.parent, other.parent}:
        flush(folder)


def can_exchange(folder: Path) -> bool:
    """Whether directories in a folder can be exchanged."""
    one, other = folder / ".one", folder / ".other"
    for path in (one, other):
        path.mkdir(exist_ok=True)
    try:
        _exchange(one, other)
    except OSError as error:
        if error.errno in _UNKNOWN:
            return False
        raise
    finally:
        for path in (one, other):
            path.rmdir()
    return True


def _exchange(one: Path, other: Path) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.renameat2(HERE, os.fsencode(one), HERE, os.fsencode(other), EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(one), None, str(other))


def flush(folder: Path) -> None:
    """Have a folder's entries on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
