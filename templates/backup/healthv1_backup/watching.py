"""Each minute: a row in the canary's table, a look at the archive, and one at the disk.

The newest row in a restored copy tells how much was lost. WAL that cannot be archived stays on the disk: when that is
nearly full, a file that keeps some of it free goes, so that PostgreSQL goes on until somebody comes.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from healthv1_backup import notes
from healthv1_backup.processes import Failed, say, sql
from healthv1_backup.settings import CANARY, Settings

NOTE = "watch"
RESERVE = "health-v1.reserve"
NEARLY_FULL, ROOM_AGAIN = 0.02, 0.15
"""Of the file system: below so much the reserve goes, from so much on it is made again."""
KEEP_ROWS = "3 days"

# Rows by the clock of the host. No row is ever changed: a restored copy holds those that were there.
ROW = f"""insert into beat (at) values (now());
delete from beat where at < now() - interval '{KEEP_ROWS}'"""
_ARCHIVER = """select coalesce(extract(epoch from last_archived_time), 0)::bigint, coalesce(last_archived_wal, ''),
coalesce(extract(epoch from last_failed_time), 0)::bigint, extract(epoch from pg_postmaster_start_time())::bigint
from pg_stat_archiver"""


@dataclass(frozen=True)
class Watched:
    at: int
    """Seconds since 1970, as every time here."""
    beat: int
    """When the canary's last row was written."""
    last_archived: int
    last_segment: str
    last_failed: int
    waiting: int
    """Finished segments that were not archived yet."""
    unarchived_since: int
    """Since when what was written is on the host alone."""
    wal_bytes: int
    free: float
    """Of the file system with the WAL: 0 to 1."""
    reserve: int
    """Bytes of the file that keeps room."""
    reserve_gone: int
    """When the reserve had to go; 0 while it is there."""
    fault: str = ""


def watch(settings: Settings) -> Watched:
    before = notes.read(NOTE)
    free, reserve, gone = keep_reserve(Path(settings.data), settings.reserve, int(before.get("reserve_gone", 0)))
    fault = ""
    # A PostgreSQL that is down says nothing: what it said last is kept, and what waits lies on the disk.
    beat, archived, failed, since = (
        int(before.get(name, 0)) for name in ("beat", "last_archived", "last_failed", "unarchived_since")
    )
    segment = str(before.get("last_segment", ""))
    waiting, oldest = waiting_wal(Path(settings.data))
    try:
        sql(settings, ROW, CANARY)
        beat = int(time.time())
        row = sql(settings, _ARCHIVER)[0]
        archived, segment, failed = int(row[0]), row[1], int(row[2])
        since = unarchived_since(archived, oldest, int(row[3]))
    except Failed as error:
        fault = str(error)
        say(fault)
    wal = _wal_bytes(settings)
    watched = Watched(
        int(time.time()), beat, archived, segment, failed, waiting, since, wal, free, reserve, gone, fault
    )
    notes.write(NOTE, asdict(watched))
    notes.measure("backup_watch", _metrics(watched))
    return watched


def waiting_wal(data: Path) -> tuple[int, int]:
    """Return how many finished segments wait to be archived, and when the first of them was finished; 0: none waits."""
    finished: list[float] = []
    for entry in (data / "pg_wal/archive_status").glob("*.ready"):
        with suppress(FileNotFoundError):  # it was archived meanwhile
            finished.append(entry.stat().st_mtime)
    return len(finished), int(min(finished, default=0))


def unarchived_since(archived: int, oldest_waiting: int, started: int) -> int:
    """Return since when what was written is on the host alone.

    + archived: when the last segment was archived.
    + oldest_waiting: when the first of those that wait was finished; 0: none waits.
    + started: when PostgreSQL was: what it wrote before, it archived as it stopped, or waits.
    """
    return min(archived or started, oldest_waiting) if oldest_waiting else max(archived, started)


def keep_reserve(data: Path, size: int, gone: int) -> tuple[float, int, int]:
    """Keep some of the disk free, or give it back when the disk is nearly full.

    Returns how much is free (0 to 1), the reserve's size in bytes, and when it had to go.
    """
    wal = os.statvfs(data / "pg_wal")
    reserve = _reserve_folder(data) / RESERVE
    free = wal.f_bavail / wal.f_blocks
    there = reserve.exists()
    if there and free < NEARLY_FULL:
        reserve.unlink()
        say(f"The disk is nearly full: {reserve} is gone, and gives PostgreSQL some room. Make room now.")
        return free, 0, int(time.time())
    if not there and free > ROOM_AGAIN:
        new = reserve.with_suffix(".new")
        with new.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, size)
        new.chmod(0o600)
        new.replace(reserve)
        return free, size, 0
    return free, reserve.stat().st_size if there else 0, 0 if there else gone or int(time.time())


def _reserve_folder(data: Path) -> Path:
    """Return where the reserve lies: beside the clusters, or where their WAL is when that has a file system of its own.

    Elsewhere it would give PostgreSQL no room.
    """
    wal = (data / "pg_wal").resolve()
    places = (data.parent.parent, wal.parent, wal)
    folder = next(place for place in places if place.stat().st_dev == wal.stat().st_dev)
    for place in places:
        if place != folder:  # the WAL was moved
            (place / RESERVE).unlink(missing_ok=True)
    return folder


def _wal_bytes(settings: Settings) -> int:
    with os.scandir(Path(settings.data) / "pg_wal") as entries:
        return sum(entry.stat().st_size for entry in entries if entry.is_file() and entry.name != RESERVE)


def _metrics(watched: Watched) -> dict[str, tuple[str, float]]:
    return {
        "healthv1_backup_wal_last_archived_timestamp_seconds": (
            "When the last WAL segment was archived.",
            float(watched.last_archived),
        ),
        "healthv1_backup_wal_waiting": ("WAL segments that wait to be archived.", float(watched.waiting)),
        "healthv1_backup_wal_bytes": ("Bytes of WAL on the host.", float(watched.wal_bytes)),
        "healthv1_backup_canary_timestamp_seconds": ("When the canary's last row was written.", float(watched.beat)),
        "healthv1_backup_disk_free_ratio": ("How much of the disk with the WAL is free.", watched.free),
        "healthv1_backup_reserve_bytes": ("Bytes that are kept free for an emergency.", float(watched.reserve)),
    }
