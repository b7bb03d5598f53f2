"""A file that a command was asked for: whole or not at all, and redacted like what is printed."""

from __future__ import annotations

from pathlib import Path

from healthv1.errors import Fault, Refused
from healthv1.redaction import redactor
from healthv1.replacement import replace


def write(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace `path` in one rename. Raises `Refused` when it cannot be written; then it is as it was."""
    if path.exists() and not path.is_file():  # a rename would put a file where a device was
        raise Refused(Fault(str(path), "It is not an ordinary file.", "choose another place"))
    try:
        replace(path, redactor.redact(text), mode)
    except OSError as error:
        raise Refused(Fault(str(path), f"It cannot be written: {error.strerror}.", "choose another place")) from None
