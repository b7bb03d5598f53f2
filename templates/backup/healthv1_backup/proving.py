"""The proof of a restored copy: that it is whole, and that it is the database of the moment that was asked for.

Neither pgBackRest nor PostgreSQL tells of a hole in the WAL: recovery to the latest moment ends there, and all looks
well. So the canary counts, which has a row for each minute: its newest one tells up to when the copy has everything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from healthv1_backup.instance import Instance, Target, stopped_checksums
from healthv1_backup.processes import Failed, run, sql
from healthv1_backup.settings import CANARY, Settings

BEAT = 60
"""Seconds between two rows of the canary."""
SLACK = 120
"""Seconds: for the upload of a WAL segment, and for a minute's look that came late."""
COUNTED = 1_000_000
"""Rows. Of a larger table PostgreSQL's own estimate is told: the live database has other work."""
LEDGER = "health.alembic_version"
_KEYS = "health.data_keys"

Ask = Callable[[str, str], list[list[str]]]
"""Asks a statement in a database; returns rows."""


@dataclass(frozen=True)
class Expected:
    """Between which moments the canary's newest row has to lie, in seconds since 1970. None: nothing is known."""

    not_before: float | None = None
    not_after: float | None = None


@dataclass(frozen=True)
class Table:
    database: str
    name: str
    copy: int | None
    """Rows; None: the table is not there."""
    live: int | None
    exact: bool = True


@dataclass
class Proven:
    """What the proof of a copy found."""

    target: str
    at: int = 0
    """When it was tried, in seconds since 1970, as every time here."""
    faults: list[str] = field(default_factory=list)
    """What is wrong with the copy, in a sentence each."""
    told: list[str] = field(default_factory=list)
    """What is worth knowing, and no fault."""
    timeline: int = 0
    canary: float = 0
    """When its newest row was written."""
    lost: float | None = None
    """Seconds between that row and the moment that was asked for: at most so much is missing, and a minute."""
    last_commit: float = 0
    """Of the WAL that was replayed."""
    schema: tuple[str, ...] = ()
    live_schema: tuple[str, ...] = ()
    master_keys: tuple[str, ...] = ()
    """Fingerprints of the keys that open what is stored."""
    live_master_keys: tuple[str, ...] = ()
    tables: list[Table] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each step took."""

    @property
    def holds(self) -> bool:
        return bool(self.at) and not self.faults

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "holds": self.holds}

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[step] = round(time.monotonic() - began, 2)


def expected(target: Target, now: float, archive_timeout: int, *, moment: float | None = None) -> Expected:
    """Return what a copy has to hold by the clock alone, where no live database can be asked.

    + moment: of the target, where it is known: of a time, and of a restore point of ours.
    """
    if target.kind == "latest":
        return Expected(not_before=now - archive_timeout - BEAT - SLACK)
    if moment is None:
        return Expected()
    return Expected(moment - BEAT - SLACK, moment if target.kind == "time" else None)


def canary_faults(newest: float | None, wanted: Expected) -> list[str]:
    """Judge the canary's newest row."""
    if newest is None:
        return ["the canary has no row in it: nothing tells up to when it is whole"] if wanted.not_before else []
    if wanted.not_before is not None and newest < wanted.not_before:
        missing = wanted.not_before - newest
        what = f"the canary's newest row is of {clock(newest)}, and one of {clock(wanted.not_before)} or later was"
        return [f"{what} expected: WAL is missing from then on, and with it what was written in {missing:.0f} s"]
    if wanted.not_after is not None and newest > wanted.not_after + 1:
        return [f"the canary's newest row is of {clock(newest)}, after the target: recovery went too far"]
    return []


def prove(
    instance: Instance, proven: Proven, wanted: Expected, *, moment: float, live: Settings | None, amcheck: bool = True
) -> None:
    """Prove a copy that serves: `proven` gets what is found. `prove_pages` follows once it is stopped.

    + moment: what was asked for, in seconds since 1970.
    + live: the live cluster, to compare with; None: there is none.
    """
    proven.at = int(time.time())
    ask = _asking(instance)
    with proven.timed("canary"):
        row = ask(
            "select pg_is_in_recovery(), ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int,"
            " coalesce(extract(epoch from pg_last_xact_replay_timestamp()), 0)",
            "postgres",
        )[0]
        if row[0] != "f":
            proven.faults.append("it is in recovery still")
        proven.timeline = int(row[1])
        proven.last_commit = float(row[2])
        newest = _newest_beat(ask)
        proven.canary = newest or 0
        proven.lost = round(max(0.0, moment - newest), 1) if newest is not None else None
        proven.faults += canary_faults(newest, wanted)
    if amcheck:
        with proven.timed("amcheck"):
            proven.faults += check_structures(instance)
    with proven.timed("rows"):
        live_ask = _asking_live(live) if live else None
        _compare(proven, instance.settings.database, ask, live_ask)


def prove_pages(instance: Instance, proven: Proven) -> None:
    """Check each page's checksum. The copy has to be stopped."""
    with proven.timed("checksums"):
        wrong = stopped_checksums(instance)
        if wrong:
            proven.faults.append(f"pages have a wrong checksum: {wrong}")


def check_structures(instance: Instance) -> list[str]:
    """Return what pg_amcheck finds wrong with tables and indexes. What it needs in the copy is taken out again."""
    databases = [row[0] for row in instance.ask("select datname from pg_database where datallowconn")]
    lacking = [name for name in databases if not instance.ask(_HAS_AMCHECK, name)]
    try:
        for name in lacking:
            instance.ask("create extension amcheck", name)
        ended = run(instance.program("pg_amcheck", "--all", "--heapallindexed", "--no-password"))
    finally:
        for name in lacking:
            instance.ask("drop extension if exists amcheck", name)
    if not ended.code:
        return []
    lines = [line.strip() for line in (ended.output or ended.errors).splitlines() if line.strip()]
    return [f"pg_amcheck found damage: {' '.join(lines[:4]) or ended.code}"]


_HAS_AMCHECK = "select 1 from pg_extension where extname = 'amcheck'"


def newest_beat(ask: Ask, until: float | None = None) -> float | None:
    """Return when the canary's newest row was written, or the newest one until a moment. Raises `Failed`."""
    condition = "" if until is None else f" where at <= to_timestamp({until:.6f})"
    rows = ask(f"select extract(epoch from max(at)) from beat{condition}", CANARY)
    return float(rows[0][0]) if rows and rows[0][0] else None


def _newest_beat(ask: Ask) -> float | None:
    if not ask(f"select 1 from pg_database where datname = '{CANARY}'", "postgres"):
        return None
    return newest_beat(ask) if ask("select to_regclass('beat') is not null", CANARY)[0][0] == "t" else None


def _compare(proven: Proven, database: str, ask: Ask, live: Ask | None) -> None:
    """Compare schema, keys and rows with the live database. Differences are told: another moment has other rows."""
    copy_has = bool(ask(f"select 1 from pg_database where datname = '{database}'", "postgres"))
    if not copy_has:
        proven.faults.append(f"it has no database {database}")
    proven.schema = column(ask, "version_num", LEDGER, database) if copy_has else ()
    proven.master_keys = column(ask, "master", _KEYS, database) if copy_has else ()
    copy = count_rows(ask)
    counted: Mapping[tuple[str, str], tuple[int, bool]] = {}
    if live:
        try:
            proven.live_schema = column(live, "version_num", LEDGER, database)
            proven.live_master_keys = column(live, "master", _KEYS, database)
            counted = count_rows(live)
        except Failed as error:
            proven.told.append(f"the live database could not be asked: {error}")
            live = None
    for key in sorted({*copy, *counted}):
        exact = all(side[key][1] for side in (copy, counted) if key in side)
        ours, theirs = (side[key][0] if key in side else None for side in (copy, counted))
        proven.tables.append(Table(*key, ours, theirs, exact))
    if live:
        faults, told = judge_schema(proven.schema, proven.live_schema)
        proven.faults += faults
        proven.told += told + judge_keys(proven.master_keys, proven.live_master_keys)


def judge_schema(copy: tuple[str, ...], live: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Compare the last migration of the copy with the live one's; return faults, and what is told."""
    if copy == live:
        return [], []
    ours, theirs = ", ".join(copy) or "none", ", ".join(live) or "none"
    if copy > live:
        return [f"its schema ({ours}) is newer than the live one ({theirs})"], []
    return [], [f"its schema ({ours}) is older than the live one ({theirs}): after a swap an apply migrates it"]


def judge_keys(copy: tuple[str, ...], live: tuple[str, ...]) -> list[str]:
    """Tell of master keys that the copy needs, and nobody uses any more. The key itself is never on this host."""
    if not copy:
        return ["nothing in it is sealed with a master key"] if live else []
    unknown = sorted({*copy} - {*live})
    if not unknown:
        return []
    names = ", ".join(unknown)
    return [f"it is sealed with the master key {names}, and the live data are not: after a swap the API needs it"]


def column(ask: Ask, name: str, table: str, database: str) -> tuple[str, ...]:
    """Return the values of a column of a table of ours, each once; none where it is not there."""
    if ask(f"select to_regclass('{table}') is not null", database)[0][0] != "t":
        return ()
    return tuple(row[0] for row in ask(f"select distinct {name} from {table} order by 1", database))


# Each count is a statement of its own, inside of one: no table's name has to be quoted here.
_COUNT = f"""select n.nspname || '.' || c.relname, case when c.reltuples < {COUNTED} then
  (xpath('/row/n/text()', query_to_xml(format('select count(*) as n from %I.%I', n.nspname, c.relname),
    false, true, '')))[1]::text else c.reltuples::bigint::text end, c.reltuples < {COUNTED}
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_%'"""


def count_rows(ask: Ask) -> dict[tuple[str, str], tuple[int, bool]]:
    """Return the rows of each table by database and name, and whether they were counted or are an estimate."""
    databases = "select datname from pg_database where datallowconn and not datistemplate order by 1"
    return {
        (database, name): counted
        for (database,) in ask(databases, "postgres")
        for name, counted in rows_of(ask, database).items()
    }


def rows_of(ask: Ask, database: str) -> dict[str, tuple[int, bool]]:
    return {name: (int(rows), exact == "t") for name, rows, exact in ask(_COUNT, database)}


def clock(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment))


def _asking(instance: Instance) -> Ask:
    return lambda statement, database: instance.ask(statement, database, timeout=None)


def _asking_live(settings: Settings) -> Ask:
    return lambda statement, database: sql(settings, statement, database, timeout=120)
