"""Throughput of the bundled API: the figures of benchmarks/api.py, if wrk and nginx are installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import Table
from benchmarks.project import ROOT

NEEDS = ("wrk", "nginx")


def tables(_folder: Path) -> list[Table]:
    title = "The bundled API, beside a plain hello from the database"
    path = os.pathsep.join((os.environ["PATH"], "/usr/sbin"))
    lacking = [name for name in NEEDS if not shutil.which(name, path=path)]
    if lacking:
        return [Table(title, (), (f"left out: this machine lacks {' and '.join(lacking)}",))]
    argv = [sys.executable, ROOT / "benchmarks" / "api.py", "--seconds", "5", "--rounds", "3"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode not in {0, 1}:
        raise RuntimeError(done.stderr)
    return [Table(title, (), tuple(done.stdout.splitlines()))]
