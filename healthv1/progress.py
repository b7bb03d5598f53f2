"""What is going on, on stderr: one line per change; on a terminal also the operation that runs now."""

from __future__ import annotations

import shutil
import sys
import time

import click


class Progress:
    """Prints each stage once, then every operation that changed something."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._started = time.monotonic()
        self._stage = ""

    def note(self, sentence: str) -> None:
        self._clear()
        click.echo(f"[{self.seconds():6.1f} s] {sentence}", err=True)

    def started(self, host: str, stage: str, component: str, sentence: str) -> None:
        if stage != self._stage:
            self._stage = stage
            self.note(f"Stage {stage}")
        if self._terminal and component:
            text = f"        {host}  {component}: {sentence} …"
            click.echo(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}", err=True, nl=False)

    def ended(self, host: str, stage: str, component: str, sentence: str, *, changed: bool) -> None:  # noqa: ARG002
        if changed:
            self.note(f"  {host}  {component}: {sentence}")

    def finish(self) -> None:
        self._clear()

    def seconds(self) -> float:
        return time.monotonic() - self._started

    def _clear(self) -> None:
        if self._terminal:
            click.echo("\r\x1b[K", err=True, nl=False)
