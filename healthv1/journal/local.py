"""The operator's copy, in the project: .healthv1/journal/ENV.jsonl, which git is told to ignore.

Each line names the copy, a random name that is as old as the file: hosts keep the copy's head under that name.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from healthv1.flocks import locked
from healthv1.journal.chain import Head, digest, link, read
from healthv1.workspace import project


class OperatorCopy:
    def __init__(self, environment: str, folder: Path | None = None) -> None:
        self._folder = folder or project.state_folder()
        self.path = self._folder / "journal" / f"{environment}.jsonl"

    def lines(self) -> list[str]:
        """Return the lines. Raises `OSError` when the file cannot be read."""
        return self.path.read_text(encoding="ascii", errors="replace").splitlines() if self.path.exists() else []

    def append(self, body: dict[str, Any]) -> tuple[str, Head]:
        """Write a line; return the copy's name and its new head. Raises `OSError`."""
        project.state("journal", self._folder)
        with self._locked_file() as file:
            file.seek(0)
            text = file.read()
            lines = text.splitlines()
            name = next(filter(None, map(_name, reversed(lines))), "") or secrets.token_hex(8)
            line = link({**body, "copy": name}, lines)
            file.write(f"{line}\n" if text.endswith("\n") or not text else f"\n{line}\n")
            return name, Head(read(line).number, digest(line))

    def head(self) -> tuple[str, Head] | None:
        """Return the copy's name and its last line; None when there is none yet, or it cannot be written."""
        try:
            with self.path.open("a", encoding="utf-8"):
                last = self.lines()[-1]
        except (OSError, IndexError):
            return None
        name = _name(last)
        return (name, Head(read(last).number, digest(last))) if name else None

    @contextmanager
    def _locked_file(self) -> Iterator[IO[str]]:
        with self.path.open("a+", encoding="ascii", errors="replace") as file:
            self.path.chmod(0o600)
            with locked(file.fileno()):
                yield file
                file.flush()


def _name(line: str) -> str:
    try:
        return str(json.loads(line)["copy"])
    except (ValueError, KeyError, TypeError):
        return ""
