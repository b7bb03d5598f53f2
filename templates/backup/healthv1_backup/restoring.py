"""A restore beside the live data: written, recovered, proven, and kept until somebody says what becomes of it."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from healthv1_backup import marking, notes, onto, proving, repository, targets
from healthv1_backup.control import Control, read_control
from healthv1_backup.instance import Target
from healthv1_backup.job import KEPT, Job, Unproven, copy_of, live_data, refuse_kept, refuse_place
from healthv1_backup.processes import Failed, say, sql
from healthv1_backup.proving import Expected, Proven
from healthv1_backup.settings import CANARY, Settings
from healthv1_backup.targets import Asked

ARRIVES = 60
"""Seconds for the newest WAL to arrive in the repository."""
PRUNED = 2 * 86_400
"""Seconds: so long the live canary surely keeps its rows."""


def begin(settings: Settings, text: str, *, label: str = "", number: int = 0) -> Job:
    """Decide what is restored, and note it. Raises `Failed` with what stands against it; nothing was changed.

    + text: the target, as the user gave it.
    + number: the repository; 0: the first one that has a backup which leads there.
    """
    refuse_kept(Job.load())
    asked = targets.parse(text, notes.read(marking.NOTE))
    live = live_control(settings)
    answers = _position(settings)
    targets.refuse_future(asked, time.time(), answers)
    timeline = targets.timeline_at(
        asked.moment, targets.served(notes.read(targets.SERVED)), live.timeline if live else 0
    )
    number, backup = _choose(settings, asked, timeline, label, number, live.system if live else 0)
    refuse_place(settings, backup.size)
    job = Job(
        "restoring",
        {
            "text": text or "latest",
            "kind": asked.kind,
            "value": asked.value,
            "moment": asked.moment,
            "timeline": timeline,
            "label": backup.label,
            "repository": number,
            "size": backup.size,
            "told": [asked.told] if asked.told else [],
            "beat": None,
        },
        time.time(),
    )
    if answers:
        _push_what_is_written(settings, job)
    job.save()
    return job


def live_control(settings: Settings) -> Control | None:
    """Return what the live data say of themselves; None where there are none that are whole."""
    with suppress(Failed):
        return read_control(settings, live_data(settings))
    return None


def _position(settings: Settings) -> str:
    """Return where in the WAL the live cluster is; empty when it does not answer."""
    with suppress(Failed, IndexError):
        return sql(settings, "select pg_current_wal_lsn()", timeout=10)[0][0]
    return ""


def _choose(
    settings: Settings, asked: Asked, timeline: int, label: str, number: int, system: int
) -> tuple[int, repository.KeptBackup]:
    """Return the repository and the backup to begin with. Raises what the first repository has against it."""
    numbers = [number] if number else range(1, len(settings.repositories) + 1)
    refusals: list[Failed] = []
    for candidate in numbers:
        if candidate > len(settings.repositories):
            raise Failed(f"there is no repository {candidate}")
        try:
            kept = repository.of_cluster(repository.backups(settings, candidate), system)
            forks = targets.forks(settings, candidate, timeline)
            return candidate, targets.choose(kept, asked, timeline, forks, label)
        except Failed as error:
            refusals.append(error)
    raise refusals[0]


def _push_what_is_written(settings: Settings, job: Job) -> None:
    """Have all that was committed until now archived: else the last minute would be missing in the copy."""
    try:
        beat = sql(settings, "insert into beat (at) values (now()) returning extract(epoch from at)", CANARY)[0][0]
        archive_now(settings, ARRIVES)
    except (Failed, IndexError) as error:
        job.asked["told"].append(f"what the live database wrote last may be missing: {error}")
    else:
        job.asked["beat"] = float(beat)


def archive_now(settings: Settings, seconds: float) -> None:
    """Have the WAL that was written archived. Raises `Failed` when it was not within so many seconds."""
    segment = sql(settings, "select pg_walfile_name(pg_switch_wal())")[0][0]
    until = time.monotonic() + seconds
    while sql(settings, "select coalesce(last_archived_wal, '') from pg_stat_archiver")[0][0][:24] < segment:
        if time.monotonic() > until:
            raise Failed(f"{segment} was not archived within {seconds:.0f} s: see the end of /var/log/postgresql/*.log")
        time.sleep(0.2)


def restore(settings: Settings, job: Job) -> str:
    """Write the backup into its folder. After a kill it goes on with what is there."""
    copy = copy_of(onto.source(settings, job), job.asked["repository"])
    go_on = copy.is_there
    copy.make()
    copy.restore(_target(job), job.asked["label"], go_on=go_on)
    return "recovering"


def recover(settings: Settings, job: Job) -> str:
    """Replay WAL up to the target, and prove what came of it."""
    copy = copy_of(onto.source(settings, job), job.asked["repository"])
    proven = Proven(str(_target(job)), told=list(job.asked["told"]))
    asked_for = job.asked["moment"] or job.asked["beat"] or job.asked.get("archived") or job.began
    live = live_control(settings)
    began = time.monotonic()
    with copy.serving(live, tell=say):
        proven.seconds["recovery"] = round(time.monotonic() - began, 2)
        answers = settings if not onto.is_onto(job) and _position(settings) else None
        proving.prove(copy, proven, _expected(settings, job, answers is not None), moment=asked_for, live=answers)
        if onto.is_onto(job):
            onto.compare_schema(settings, proven)
    job.proven = proven.as_json()
    return "checking"


def check(settings: Settings, job: Job) -> str:
    """Check the pages of the stopped copy. It is kept also when something is wrong with it."""
    document: dict[str, Any] = {**job.proven}
    document.pop("holds")
    document["tables"] = [proving.Table(**table) for table in document["tables"]]
    proven = Proven(**document)
    proving.prove_pages(copy_of(settings), proven)
    proven.seconds["restore"] = _seconds(job, "restoring", "recovering")
    proven.seconds["total"] = round(time.time() - job.began, 2)
    job.proven = proven.as_json()
    return KEPT


def refuse_unproven(job: Job) -> None:
    faults = job.proven.get("faults", [])
    if faults or not job.proven:
        raise Unproven(f"the copy is not proven: {'; '.join(faults) or 'nothing was tried'}")


def _target(job: Job) -> Target:
    return Target(job.asked["kind"], job.asked["value"], job.asked["timeline"])


def _expected(settings: Settings, job: Job, live: bool) -> Expected:
    """Return what the canary has to say: what the live one has for that moment, else what the clock says."""
    if onto.is_onto(job):
        return onto.expected(settings, job)
    kind, moment, beat = (job.asked[key] for key in ("kind", "moment", "beat"))
    if kind == "latest" and beat:
        return Expected(not_before=beat - 1)
    if moment and live and job.began - moment < PRUNED:
        with suppress(Failed):
            newest = proving.newest_beat(lambda statement, database: sql(settings, statement, database), moment)
            return Expected(newest and newest - 1, moment if kind == "time" else None)
    target = _target(job)
    return proving.expected(target, job.began, settings.archive_timeout, moment=moment)


def _seconds(job: Job, step: str, following: str) -> float:
    ends = [entry["at"] for entry in job.steps if entry["name"] == following]
    begins = [entry["at"] for entry in job.steps if entry["name"] == step]
    return round(ends[-1] - begins[0], 2) if ends and begins else 0.0
