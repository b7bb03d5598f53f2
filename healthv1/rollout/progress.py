"""Progress on stderr: one line per change, and on a terminal one status line per busy host."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType

import click
import gevent
from typing_extensions import Self

from healthv1.output.escaping import readable_lines
from healthv1.output.redaction import redactor
from healthv1.output.terminal import is_redrawn
from healthv1.plan import counted

TICK = 1.0
"""Seconds after which the times on a terminal are brought up to date."""
NAMED = 4
"""More hosts are counted rather than named."""


@dataclass
class Work:
    """What one host does in a stage."""

    stage: str
    of: int
    ran: int = 0
    now: str = ""
    began: float = field(default_factory=time.monotonic)

    def line(self, host: str) -> str:
        seconds = time.monotonic() - self.began
        return f"{host} · {self.stage}  {self.ran}/{self.of} operations  {seconds:.0f} s  {self.now}"


class Progress:
    """The report of a rollout, for people. Used as a context, it leaves no line behind that is not true any more."""

    def __init__(self) -> None:
        self._terminal = is_redrawn()
        self._started = time.monotonic()
        self._changes = 0
        self._stage_began = 0.0
        self._due: Mapping[str, int] = {}
        self._work: dict[str, Work] = {}
        self._drawn = 0
        self._clock: gevent.Greenlet | None = None
        self._warnings = _Warnings(self.note)

    def __enter__(self) -> Self:
        logging.getLogger("healthv1").addHandler(self._warnings)
        self._clock = gevent.spawn(self._tick) if self._terminal else None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        logging.getLogger("healthv1").removeHandler(self._warnings)
        if self._clock:
            self._clock.kill()
        self._work.clear()
        self._erase()

    def seconds(self) -> float:
        return time.monotonic() - self._started

    def note(self, sentence: str) -> None:
        self._erase()
        click.echo(f"[{self.seconds():6.1f} s] {readable_lines(sentence)}", err=True)
        self._draw()

    def stage_begun(self, stage: str, operations: Mapping[str, int]) -> None:
        self._due, self._changes, self._stage_began = operations, 0, time.monotonic()
        if operations:
            self.note(f"Stage {stage} begins on {_named(list(operations))}")

    def started(self, host: str, stage: str, component: str, sentence: str) -> None:
        if host in self._due:
            work = self._work.setdefault(host, Work(stage, self._due[host]))
            work.now = f"{component}: {sentence} …" if component else ""
            self._redraw()

    def ended(self, host: str, stage: str, component: str, sentence: str, *, changed: bool) -> None:  # noqa: ARG002
        if host in self._work:
            self._work[host].ran += 1
        if changed:
            self._changes += 1
            self.note(f"  {host}  {component}: {sentence}")

    def trying(self, stage: str, claims: Mapping[str, int]) -> None:  # noqa: ARG002
        for host, number in claims.items():
            self.note(f"  {host}  {number} claims are tried")

    def stage_ended(self, stage: str) -> None:
        self._work.clear()
        if self._due:
            seconds = time.monotonic() - self._stage_began
            self.note(f"Stage {stage} ended: {counted(self._changes, 'operation')} made changes in {seconds:.1f} s")

    def _tick(self) -> None:
        while True:
            gevent.sleep(TICK)
            self._redraw()

    def _redraw(self) -> None:
        if self._terminal:
            self._erase()
            self._draw()

    def _draw(self) -> None:
        """Show as many hosts as there is room for: a line that scrolled away could not be erased."""
        if not self._terminal:
            return
        columns, rows = _size()
        lines = [work.line(host) for host, work in self._work.items()]
        room = max(rows - 2, 1)
        if len(lines) > room:
            lines = [*lines[: room - 1], f"… and {len(lines) - room + 1} hosts more"]
        for line in lines:
            click.echo(redactor.redact(line)[: columns - 1], err=True)  # half a secret is not known again
        self._drawn = len(lines)

    def _erase(self) -> None:
        if self._drawn:
            click.echo(f"\x1b[{self._drawn}A\r\x1b[J", err=True, nl=False)
        self._drawn = 0


class _Warnings(logging.Handler):
    """Prints the engine's warnings among the status lines: printed past them they would be erased."""

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__()
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        self._note(record.getMessage())


def _named(hosts: list[str]) -> str:
    return ", ".join(hosts) if len(hosts) <= NAMED else f"{len(hosts)} hosts"


def _size() -> os.terminal_size:
    try:
        return os.get_terminal_size(sys.stderr.fileno())
    except OSError:
        return os.terminal_size((80, 24))
