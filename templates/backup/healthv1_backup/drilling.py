"""A restore drill: the newest backup of each repository is restored into a throwaway instance, proven, and thrown away.

It reads the repositories while backups go on. What it reads is not removed meanwhile: a backup goes when there is a
newer full one that is a day old or more, and a drill is ended after half a day.
"""

from __future__ import annotations

import fcntl
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from healthv1_backup import asking, evidence, exports, notes, opening, proving, repository, sweeping
from healthv1_backup.asking import Asked
from healthv1_backup.control import Control, read_control
from healthv1_backup.instance import Instance, Target, free_memory, free_room, shortages
from healthv1_backup.processes import Failed, run, say, sql
from healthv1_backup.proving import BEAT
from healthv1_backup.settings import RUN, Settings

NOTE = "drill"
BEGUN = "drill-begun"
"""A note of the drill that is under way: one that was killed is told by the next program that looks."""
SCHEMA = 1
PASSED, FAILED, REFUSED, ESCROW, CUT_SHORT = "passed", "failed", "not tried", "escrow does not open", "cut short"


@dataclass
class Drill:
    """What one drill found."""

    asked: Asked
    began: float
    result: str = PASSED
    why: list[str] = field(default_factory=list)
    """What is wrong, in a sentence each."""
    restores: list[dict[str, Any]] = field(default_factory=list)
    """By repository."""
    data_key: dict[str, str] = field(default_factory=dict)
    """The newest wrapped key out of the copy, for whoever has the master key to open."""
    export: dict[str, Any] = field(default_factory=dict)
    """What the newest export is; empty: none are made."""

    def end(self, result: str, *why: str) -> None:
        self.result = result
        self.why += why

    @property
    def rpo(self) -> float | None:
        """Return the seconds that would have been lost; of several repositories, the worst. None: nothing is known."""
        lost = [restore["proof"]["lost"] for restore in self.restores]
        return max(lost) if lost and None not in lost else None

    @property
    def rto(self) -> float | None:
        """Return the seconds until the database could serve; of several repositories, the worst."""
        return max((restore["seconds_to_serve"] for restore in self.restores), default=None)


def drill(settings: Settings, asked: Asked) -> dict[str, Any]:
    """Run a drill, and return its evidence. Raises `Failed` when there is none."""
    with _alone():
        sweep(settings)
        drill = Drill(asked, time.time())
        notes.write(BEGUN, {"at": int(drill.began), "asked": asked.by, "keys": asked.kind})
        try:
            _run(asking.with_keys(settings, asked), drill)
        except (Failed, OSError) as error:
            drill.end(FAILED, str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, the restore is not proven, and evidence says so
            drill.end(FAILED, f"something unforeseen happened: {type(error).__name__}: {error}")
        finally:
            sweeping.remove_copy(instance(settings, 1))
        document = _keep(settings, drill)
        notes.remove(BEGUN)
    return document


def sweep(settings: Settings) -> None:
    """Remove what a killed drill left, and tell of it. Where none was killed there is nothing to do."""
    sweeping.remove_copy(instance(settings, 1))
    asking.forget()
    begun = notes.read(BEGUN)
    if not begun:
        return
    drill = Drill(Asked(by=begun["asked"], kind=begun["keys"]), begun["at"])
    drill.end(CUT_SHORT, "it was killed, or the host went down")
    _keep(settings, drill)
    notes.remove(BEGUN)


def sweep_if_ended(settings: Settings) -> int:
    """Remove what a killed drill left, unless one is under way. Each minute's look does it too."""
    if instance(settings, 1).is_there or notes.read(BEGUN):
        with suppress(_UnderWay), _alone(patience=0):
            sweep(settings)
    return 0


def instance(settings: Settings, number: int) -> Instance:
    """Return the throwaway copy: beside the clusters, on their file system."""
    folder = Path(settings.data).parents[1] / "health-v1-drill"
    return Instance(settings, folder, asking.RUN / "copy", number)


class _UnderWay(Failed):
    """Another drill is under way."""


@contextmanager
def _alone(patience: float = 60) -> Iterator[None]:
    """Keep other drills away. Raises `Failed` while one is under way.

    + patience: seconds, for somebody who only removes what a killed one left.
    """
    for folder, mode in ((asking.RUN, 0o755), (RUN, 0o700)):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(mode)  # whatever the umask is
    with (RUN / "drill-lock").open("w") as lock:
        deadline = time.monotonic() + patience
        while not _locked(lock.fileno()):
            if time.monotonic() >= deadline:
                raise _UnderWay("another drill is under way")
            time.sleep(0.5)
        try:
            yield
        finally:
            with suppress(OSError):
                asking.RUN.rmdir()


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _run(settings: Settings, found: Drill) -> None:
    newest = _newest_backups(settings, found)
    largest = max((backup.size for backup in newest.values()), default=0)
    # An export that is restored beside it takes as much again.
    largest *= 2 if found.asked.export else 1
    lacking = shortages(largest, free_room(instance(settings, 1).folder), free_memory())
    if lacking:
        found.end(REFUSED, *lacking)
        return
    live = _live_control(settings)
    for number, backup in newest.items():
        say(f"Repository {number}: restoring backup {backup.label}.")
        try:
            _restore(settings, number, backup, live, found)
        except Failed as error:
            found.end(FAILED, f"repository {number}: {error}")
        sweeping.remove_copy(instance(settings, number))
    if settings.exports:
        say("Reading the newest export back.")
        found.export |= exports.checked(settings, found.began)
        wrong = [*found.export["faults"], *found.export.get("restore_faults", [])]
        found.end(FAILED if wrong else found.result, *(f"export: {fault}" for fault in wrong))


def _newest_backups(settings: Settings, found: Drill) -> dict[int, repository.KeptBackup]:
    newest: dict[int, repository.KeptBackup] = {}
    for number in range(1, len(settings.repositories) + 1):
        try:
            kept = repository.backups(settings, number)
        except Failed as error:
            ours_opens = found.asked.is_from_escrow and _opens_with_the_hosts(settings, number)
            why = "what escrow holds does not open it, and what the host has does" if ours_opens else str(error)
            found.end(ESCROW if ours_opens else FAILED, f"repository {number}: {why}")
            continue
        if kept:
            newest[number] = kept[-1]
        else:
            found.end(FAILED, f"repository {number}: no backup is there")
    return newest


def _opens_with_the_hosts(settings: Settings, number: int) -> bool:
    try:
        return bool(repository.backups(asking.with_keys(settings, Asked()), number))
    except Failed:
        return False


def _restore(
    settings: Settings, number: int, backup: repository.KeptBackup, live: Control | None, found: Drill
) -> None:
    copy, target = instance(settings, number), Target()
    copy.make()
    began, now = time.monotonic(), time.time()
    copy.restore(target, backup.label)
    restored = time.monotonic() - began
    proven = proving.Proven(str(target))
    with copy.serving(live, durable=False, options=_PRIVATE, tell=say):
        serving = time.monotonic() - began
        wanted = _expected(settings, now)
        # With both, or with none: of a database that is there twice the rows are told side by side.
        proving.prove(copy, proven, wanted, moment=now, live=settings if live else None)
        if found.asked.is_from_escrow:
            found.data_key = _newest_data_key(copy)
        if found.asked.export and number == 1:
            found.export |= _restored_export(settings, copy, found.asked)
    proving.prove_pages(copy, proven)
    found.restores.append(
        {
            "repository": number,
            "folder": settings.repositories[number - 1],
            "backup": backup.label,
            "kind": backup.kind,
            "backup_ended": _time(backup.stopped),
            "size": backup.size,
            "target": str(target),
            "seconds_to_restore": round(restored, 1),
            "seconds_to_serve": round(serving, 1),
            "proof": proven.as_json(),
        }
    )
    if not proven.holds:
        found.end(FAILED, *(f"repository {number}: {fault}" for fault in proven.faults))


def _restored_export(settings: Settings, copy: Instance, asked: Asked) -> dict[str, Any]:
    say("Restoring the newest export beside it.")
    try:
        return opening.restored(settings, copy, asked.export)
    except Failed as error:
        return {"restore_faults": [f"it could not be restored: {error}"]}


def _expected(settings: Settings, now: float) -> proving.Expected:
    """Return what the canary has to say: each row of the live one that had time to be archived.

    By the clock alone a host that was off until now would fail. Where the live one does not answer, the clock counts.
    """
    by_clock = proving.expected(Target(), now, settings.archive_timeout)
    if by_clock.not_before is None or not settings.live:
        return by_clock
    try:
        newest = proving.newest_beat(lambda statement, name: sql(settings, statement, name), by_clock.not_before + BEAT)
    except Failed:
        return by_clock
    return proving.Expected(not_before=newest and newest - 1)


_PRIVATE = {"dynamic_shared_memory_type": "mmap"}
"""Its shared memory lies in its own folder: what is killed leaves none in /dev/shm."""


def _newest_data_key(copy: Instance) -> dict[str, str]:
    """Return the newest key that the master key wraps. It is sealed: nobody here can open it."""
    names = ("id", "purpose", "master", "wrapped")
    database = copy.settings.database
    if not proving.column(copy.ask, "master", "health.data_keys", database):
        return {}
    statement = "select id, purpose, master, encode(wrapped, 'hex') from health.data_keys order by id desc limit 1"
    rows = copy.ask(statement, database)
    return dict(zip(names, rows[0], strict=True)) if rows else {}


def _live_control(settings: Settings) -> Control | None:
    """Return the live cluster's; None on a host that has none, or while it is down."""
    if not settings.live:
        return None
    try:
        return read_control(settings, Path(settings.data))
    except Failed:
        return None


def _keep(settings: Settings, found: Drill) -> dict[str, Any]:
    """Keep the evidence, the note for the claim, and the metrics. Raises `Failed` when it cannot be signed."""
    ended = time.time()
    try:
        return evidence.write(_document(settings, found, ended))
    except Failed as error:
        found.end(FAILED, str(error))
        raise
    finally:
        _note(settings, found, ended)


def _document(settings: Settings, found: Drill, ended: float) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "host": platform.node(),
        "machine": Path("/etc/machine-id").read_text(encoding="ascii").strip()[:12],
        "asked_by": found.asked.by,
        "keys": found.asked.kind,
        "began": _time(found.began),
        "ended": _time(ended),
        "result": found.result,
        "why": found.why,
        "rpo_seconds": found.rpo,
        "rto_seconds": found.rto,
        "restores": found.restores,
        "data_key": found.data_key,
        "export": found.export,
        "versions": _versions(settings),
    }


def _note(settings: Settings, found: Drill, ended: float) -> None:
    if found.result == ESCROW:
        return  # it tells of the operator's file, and not of the backups
    noted = following(Noted.read(), found, ended)
    notes.write(NOTE, asdict(noted))
    if settings.drills:
        notes.measure("drill", metrics(noted, settings.drill_max_age))


@dataclass(frozen=True)
class Noted:
    """What the claim and the metrics tell. Times are in seconds since 1970."""

    last_try: int = 0
    last_success: int = 0
    result: str = ""
    why: tuple[str, ...] = ()
    rpo: float = 0
    """Of the last drill that could tell it, as `rto`."""
    rto: float = 0

    @classmethod
    def read(cls) -> Noted:
        document = notes.read(NOTE)
        return cls(**{**document, "why": tuple(document["why"])}) if document else cls()


def following(before: Noted, found: Drill, ended: float) -> Noted:
    passed = found.result == PASSED
    return Noted(
        int(ended),
        int(ended) if passed else before.last_success,
        found.result,
        tuple(found.why),
        before.rpo if found.rpo is None else found.rpo,
        before.rto if found.rto is None else found.rto,
    )


def metrics(noted: Noted, max_age: int) -> dict[str, tuple[str, float]]:
    return {
        "healthv1_restore_drill_success": (
            "1 when the last restore drill passed.",
            float(noted.result == PASSED),
        ),
        "healthv1_restore_drill_last_success_timestamp_seconds": (
            "When a restore drill last passed.",
            float(noted.last_success),
        ),
        "healthv1_restore_drill_last_try_timestamp_seconds": (
            "When a restore drill was last tried.",
            float(noted.last_try),
        ),
        "healthv1_restore_drill_rpo_seconds": (
            "How old the newest row of a restored copy was: so much would have been lost.",
            noted.rpo,
        ),
        "healthv1_restore_drill_rto_seconds": ("How long it took until a restored copy could serve.", noted.rto),
        "healthv1_restore_drill_max_age_seconds": (
            "After so long without a drill that passed it is overdue.",
            float(max_age),
        ),
    }


def _versions(settings: Settings) -> dict[str, str]:
    asked = {"postgresql": (str(settings.programs / "postgres"), "--version"), "pgbackrest": ("pgbackrest", "version")}
    versions = {name: run(argv, timeout=30).output.strip() for name, argv in asked.items()}
    return {
        **versions,
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", ""),
        "program": Path(__file__).resolve().parents[1].name,
    }


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="seconds")
