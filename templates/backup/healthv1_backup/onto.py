"""A restore onto this host of what another host, which is lost, left in the repository.

It is a restore beside and a swap like any other. But what served here is the empty database of a bare host, and the
copy is of another cluster: so nothing is compared with it, and from the swap on our own folder is that cluster's.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from healthv1_backup import folders, keys, notes, proving, repository, rows, targets
from healthv1_backup.folders import LeftFolder
from healthv1_backup.instance import Target
from healthv1_backup.job import Job, refuse_kept, refuse_place
from healthv1_backup.preparing import once_nobody_archives
from healthv1_backup.processes import Failed, say, sql
from healthv1_backup.proving import Expected, Proven
from healthv1_backup.settings import Settings
from healthv1_backup.targets import Asked

NOTE = "onto"
"""That this host is to take a lost one's place: since when, out of which folder, and when it was done."""
KEYS = Path("/run/health-v1-onto")
FILE = "lost.conf"


def begin(settings: Settings, text: str, folder: str, number: int, label: str = "") -> Job:
    """Decide what is restored out of another host's folder, and note it. Raises `Failed`; nothing was changed."""
    refuse_kept(Job.load())
    rows.refuse(settings)
    asked = targets.parse(text, {})  # restore points that were made on this host are not those
    targets.refuse_future(asked, time.time())
    left = folders.look(settings, number, folder)
    if left is None:
        raise Failed(f"{folder}: no backup of {settings.stanza} is there")
    refuse_other_version(left, settings.version)
    backup = _choose(lost(settings, number, folder), left, asked, label)
    refuse_place(settings, backup.size)
    job = Job("restoring", _noted(text, asked, left, backup), time.time())
    notes.write(NOTE, {"folder": folder, "began": job.began, "served": 0, "done": 0})
    job.save()
    return job


def _noted(text: str, asked: Asked, left: LeftFolder, backup: repository.KeptBackup) -> dict[str, Any]:
    return {
        "text": f"{text or 'latest'} out of {left.path}",
        "kind": asked.kind,
        "value": asked.value,
        "moment": asked.moment,
        "timeline": left.timeline,
        "label": backup.label,
        "repository": left.repository,
        "size": backup.size,
        "told": [asked.told] if asked.told else [],
        "beat": None,
        "from": left.path,
        "segment": left.segment,
        "archived": left.archived,
    }


def refuse_other_version(left: LeftFolder, ours: int) -> None:
    if left.postgresql != str(ours):
        raise Failed(
            f"{left.path} is of PostgreSQL {left.postgresql}, and this host has {ours}:"
            " take the distribution of the lost one"
        )


def _choose(settings: Settings, left: LeftFolder, asked: Asked, label: str) -> repository.KeptBackup:
    kept = repository.backups(settings, left.repository)
    forks = targets.forks(settings, left.repository, left.timeline)
    return targets.choose(repository.of_cluster(kept), asked, left.timeline, forks, label)


def is_onto(job: Job) -> bool:
    return bool(job.asked.get("from"))


def source(settings: Settings, job: Job) -> Settings:
    """Return settings that read where a job's backup is. Raises `Failed` where what opens it is not there any more."""
    if not is_onto(job):
        return settings
    return lost(settings, job.asked["repository"], job.asked["from"])


def lost(settings: Settings, number: int, folder: str) -> Settings:
    if not (KEYS / FILE).exists():
        raise Failed(f"what opens {folder} is not here any more: give the same command again, which sends it")
    return settings.reading(number, folder, str(KEYS))


def take_keys(text: str) -> None:
    """Keep what opens a lost host's folder until the copy serves, or the host goes down. Raises `Failed`."""
    keys.refuse_other_lines(text)
    keys.put(KEYS, FILE, text)


def expected(settings: Settings, job: Job) -> Expected:
    """Return what the canary has to say: a host that ran had a row for each minute until its last WAL arrived."""
    target = Target(job.asked["kind"], job.asked["value"], job.asked["timeline"])
    return proving.expected(target, job.asked["archived"], settings.archive_timeout, moment=job.asked["moment"])


def compare_schema(settings: Settings, proven: Proven) -> None:
    """Compare with the release that was deployed here: it migrates an older schema, and cannot use a newer one."""
    proven.live_schema = proving.column(
        lambda statement, database: sql(settings, statement, database), "version_num", proving.LEDGER, settings.database
    )
    faults, remarks = proving.judge_schema(proven.schema, proven.live_schema)
    proven.faults += [f"{fault}: take the release that the lost host ran" for fault in faults]
    proven.told += remarks


def adopt_folder(settings: Settings) -> None:
    """Have our own folder in each repository be of the cluster that serves now. Raises `Failed`.

    Without it nothing would be archived: another cluster began the folder. Its backup stays in it until it is old.
    """
    ended = once_nobody_archives(settings, "stanza-upgrade")
    if ended.code:
        raise Failed(f"stanza-upgrade: {ended.why}")
    say("Our own folder is of this cluster now.")


def note_served(job: Job, now: float) -> None:
    """Note that the lost host's data serve here, and what is known of them: the job is forgotten before all is done."""
    notes.write(NOTE, {**notes.read(NOTE), "served": now, "asked": job.asked, "proven": job.proven})


def standing(settings: Settings) -> dict[str, Any]:
    """Return whether this host is about to take a lost one's place, and what its database holds."""
    document: dict[str, Any] = {"onto": notes.read(NOTE), "rows": [], "silent": ""}
    try:
        document["rows"] = rows.worth_keeping(settings)
    except Failed as error:
        document["silent"] = str(error)
    return document


def end() -> None:
    """Note that this host has taken the lost one's place."""
    document = notes.read(NOTE)
    if document:
        notes.write(NOTE, {**document, "done": time.time()})
    forget_keys()


def forget_keys() -> None:
    (KEYS / FILE).unlink(missing_ok=True)
