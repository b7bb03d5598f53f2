"""A file that a command was asked for: whole or not at all, and redacted like what is printed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from healthv1.errors import Fault, Refused
from healthv1.redaction import redactor


def write(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace `path` in one rename. Raises `Refused` when it cannot be written; then it is as it was."""
    try:
        handle, new = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(redactor.redact(text))
            Path(new).chmod(mode)
            Path(new).replace(path)
        except BaseException:
            Path(new).unlink()
            raise
    except OSError as error:
        raise Refused(Fault(str(path), f"It cannot be written: {error.strerror}.", "choose another place")) from None
