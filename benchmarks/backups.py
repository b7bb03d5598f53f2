"""Backups of a database of 1 GB: what a night, a lost host, a restore and a drill take, each beside its goal.

Its rows are random bytes, as in an encrypted column: nothing of them compresses, so all of the gigabyte is stored and
sent. The S3 is on this machine: a real one adds its network.
"""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.measure import HEALTHV1, Contender, Goal, Goals, cost
from healthv1.sandbox import Sandbox, load
from healthv1.sandbox.reach import on_host, ssh_command
from healthv1.sandbox.servers import s3, server

ARRIVALS = 3
"""Of WAL segments, between which it is seen what would be lost."""
WAIT = 900  # seconds
SEGMENT = 16 * 2**20  # bytes
ARCHIVED = re.compile(r"[0-9A-F]{8}([0-9A-F]{8})([0-9A-F]{8})-[0-9a-f]{40}\.zst")
FULL = "health-v1-backup@full.service"
DATABASE = "measured"
FILL = f"""create extension pgcrypto;
create table filled (number int primary key, content bytea not null);
insert into filled select number, gen_random_bytes(950) from generate_series(1, {10**6}) number;
create table written (at timestamptz not null, position pg_lsn not null)"""
WRITE = "insert into written values (clock_timestamp(), pg_current_wal_insert_lsn());\n"


def tables(folder: Path) -> list[Goals]:
    team = folder / "team"  # with a journal of its own: another one remembers drills of another host
    size = fill()
    full, made = ran(team, "backup", "now", "sandbox", "--full")
    reading = sum(repository["proof"]["seconds"] for repository in made["repositories"])
    drill, drilled = ran(team, "drill", "now", "sandbox")
    evidence = drilled["hosts"]["host1"]["drill"]["evidence"]
    loss = worst_loss()
    beside, kept = ran(team, "restore", "sandbox")
    steps = ", ".join(f"{step} {took:.0f} s" for step, took in kept["proven"]["seconds"].items() if took >= 1)
    _, swapped = ran(team, "restore", "sandbox", "--swap", "--yes")
    wait_until(lambda: _state(FULL) != "activating", "the full backup after the swap did not end")
    goals = (
        Goal("RPO", loss, 60, "the writes lost with the host at its worst moment; the goal has no upload in it"),
        # RTO onto a new host: 300
        Goal("RTO beside, on the same host", beside, 60, steps),
        Goal("outage of a swap", swapped["swap"]["outage"], 10, "from the stop until the copy serves"),
        Goal("drill", drill, 120, f"its evidence says RTO {evidence['rto_seconds']:.0f} s"),
        Goal("first full backup", full, 60, f"{reading:.0f} s of it read everything back"),
        Goal(
            "plan, converged again", cost("plan", "sandbox", folder=team)["hosts"]["host1"]["rounds"], 3, "", "rounds"
        ),
    )
    note = f"The database: {size / 1e9:.2f} GB of random bytes, which do not compress. S3 is on this machine."
    return [Goals("Backups, beside their goals", goals, (note,))]


def fill() -> int:
    """Have a gigabyte in a database of its own, all of it archived; return its bytes."""
    _sql(f"create database {DATABASE}", "postgres")
    _sql(FILL)
    _sql("checkpoint")
    _sql("select pg_switch_wal()")
    waiting = "select count(*) from pg_ls_archive_statusdir() where name like '%.ready'"
    wait_until(lambda: _sql(waiting) == "0", "its WAL was not archived")
    return int(_sql(f"select pg_database_size('{DATABASE}')"))


def worst_loss() -> float:
    """Return how many seconds of writes are lost with the host, at the worst moment: just ahead of an arrival.

    A writer goes on meanwhile. What it wrote ahead of the end of the repository's newest segment is not lost.
    """
    argv = ssh_command(load().hosts[0], _psql(DATABASE))
    arrivals = [(0.0, newest_end())]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as writer:

        def arrived() -> bool:
            writer.stdin.write(WRITE)
            writer.stdin.flush()
            if (end := newest_end()) > arrivals[-1][1]:
                arrivals.append((time.time(), end))
            return len(arrivals) > ARRIVALS

        wait_until(arrived, "no WAL arrived")
    return max(at - written for (_, end), (at, _) in pairwise(arrivals) if (written := _newest_write(end)))


def newest_end() -> int:
    """Return the position in the WAL up to which the repository has everything."""
    bucket = server.directory(Sandbox(os.environ["HEALTHV1_SANDBOX"]), s3.NAME) / "data"
    segments = (ARCHIVED.fullmatch(path.name) for path in bucket.rglob("archive/*/*/*/*"))
    return max(((int(segment[1], 16) << 8) + int(segment[2], 16) + 1) * SEGMENT for segment in segments if segment)


def _newest_write(end: int) -> float:
    """Return when the newest write ahead of a position was made; 0: none was."""
    return float(
        _sql(f"select coalesce(extract(epoch from max(at)), 0) from written where position < '0/0'::pg_lsn + {end}")
    )


def ran(team: Path, *words: str) -> tuple[float, dict[str, Any]]:
    """Run a command of ours, which must end well; return its seconds, and its document."""
    seconds, document = Contender(" ".join(words), (*HEALTHV1, *words, "--json"), "", folder=team).ran()
    return seconds, json.loads(document)


def wait_until(done: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + WAIT
    while not done():
        if time.monotonic() > until:
            raise RuntimeError(f"No figures: {otherwise} within {WAIT} s.")
        time.sleep(0.2)


def _state(unit: str) -> str:
    return on_host(load().hosts[0], f"systemctl show -p ActiveState --value {unit}").stdout.strip()


def _sql(statement: str, database: str = DATABASE) -> str:
    argv = ssh_command(load().hosts[0], _psql(database))
    return subprocess.run(argv, input=statement, capture_output=True, text=True, check=True).stdout.strip()


def _psql(database: str) -> str:
    return f"cd /; sudo -u postgres psql -XAtq -v ON_ERROR_STOP=1 -p 5432 -d {database}"
