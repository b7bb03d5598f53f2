"""Commands timed in turns, and figures as a table: each beside its comparison."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.project import ROOT

HEALTHV1 = (sys.executable, "-m", "healthv1")
PYINFRA = (sys.executable, "-m", "pyinfra")
SITE = str(ROOT / "deploys" / "site.py")


@dataclass(frozen=True)
class Contender:
    name: str
    argv: tuple[str, ...]
    does: str
    """Its work in that time: without it no ratio has a meaning."""
    env: dict[str, str] = field(default_factory=dict)
    folder: Path = ROOT
    ends: tuple[int, ...] = (0,)
    """The exit codes that it may end with."""

    def seconds(self) -> float:
        return self.ran()[0]

    def ran(self) -> tuple[float, str]:
        """Return the seconds that it took, and what it printed."""
        started = time.monotonic()
        env = {**os.environ, "NO_COLOR": "1", "PYINFRA_PROGRESS": "off", "PYTHONPATH": str(ROOT), **self.env}
        done = subprocess.run(
            self.argv, env=env, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode not in self.ends:
            raise RuntimeError(f"{self.name} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return time.monotonic() - started, done.stdout


@dataclass(frozen=True)
class Row:
    name: str
    seconds: float
    does: str
    ratio: float


@dataclass(frozen=True)
class Table:
    title: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{row.name:<46}{row.seconds:8.2f} s{row.ratio:8.1f}  {row.does}" for row in self.rows]
        return "\n".join((f"{self.title}\n{'':<46}{'':>10}{'ratio':>8}", *lines, *self.notes, ""))


@dataclass(frozen=True)
class Goal:
    """A figure beside what is wanted of it: no more than that, on a quiet machine with two processors."""

    name: str
    figure: float
    goal: float
    does: str
    unit: str = "s"


@dataclass(frozen=True)
class Goals:
    title: str
    rows: tuple[Goal, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{row.name:<46}{row.figure:8.1f} {row.unit:<8}{row.goal:6}  {row.does}" for row in self.rows]
        return "\n".join((f"{self.title}\n{'':<46}{'':<17}{'goal':>6}", *lines, *self.notes, ""))


def cost(*arguments: str, folder: Path = ROOT) -> dict[str, Any]:
    """Return what a command of ours cost: see benchmarks/counted.py. It must end well."""
    with tempfile.NamedTemporaryFile() as file:
        argv = (sys.executable, "-m", "benchmarks.counted", file.name, *arguments)
        Contender(" ".join(arguments), argv, "", folder=folder).seconds()
        return dict(json.loads(Path(file.name).read_text()))


def compared(
    title: str,
    contenders: list[Contender],
    rounds: int,
    *notes: str,
    before: Callable[[], object] = lambda: None,
    after: Callable[[], object] = lambda: None,
) -> Table:
    """Return each one's median, and its ratio to the first's: in turns, so that what else goes on hits all alike."""

    def timed(contender: Contender) -> float:
        before()
        seconds = contender.seconds()
        after()
        return seconds

    taken = [[timed(one) for one in contenders] for _ in range(rounds)]
    medians = [statistics.median(times) for times in zip(*taken, strict=True)]
    rows = (
        Row(one.name, seconds, one.does, seconds / medians[0]) for one, seconds in zip(contenders, medians, strict=True)
    )
    return Table(title, tuple(rows), notes)
