"""The swap: the copy becomes the live data, and the live data are kept aside. And the way back.

All that the copy needs to serve is done ahead of the exchange. The exchange is one call: before it the former data
serve, after it the new ones, whoever starts the database, also a host that lost power between any two steps.
"""

from __future__ import annotations

import subprocess
import time
from contextlib import suppress
from pathlib import Path

from healthv1_backup import onto, proving, rows, targets, watching
from healthv1_backup.control import read_control
from healthv1_backup.exchange import can_exchange, exchange, flush
from healthv1_backup.instance import Instance
from healthv1_backup.job import KEPT, SWAPPED, Busy, Job, copy_of, live_data
from healthv1_backup.processes import Failed, say, sql
from healthv1_backup.readying import (
    AUTO_CONF,
    SIGNALS,
    adopt_settings,
    newest_served,
    ready_to_archive,
    refuse_taken_history,
    to_postgres,
)
from healthv1_backup.restoring import archive_now, live_control, refuse_unproven
from healthv1_backup.settings import CANARY, Settings

ANSWERS = 300
"""Seconds until the database has to serve."""
ARCHIVES = 180
"""Seconds until WAL of the new history has to be archived."""
FULL = "health-v1-backup@full.service"
BACKUPS = (FULL, "health-v1-backup@incr.service", "health-v1-backup-now.service", "health-v1-backup-proof.service")


class Serves(Failed):
    """The new data serve, or may have: going back is a decision of its own."""

    code = 6


def begin(settings: Settings, *, unproven: bool = False) -> Job:
    """Note that the copy is to serve, or after a swap that the former data are to. Raises `Failed`."""
    job = Job.load()
    if job is None:
        raise Failed("nothing is kept to be swapped in")
    if not job.rests:
        raise Busy(f"a restore to {job.asked['text']} is under way, at {job.phase}")
    if job.asked.get("spoiled"):
        raise Failed(
            "the former data took the number of another history: copy out of them, or restore that moment anew"
        )
    if job.phase == SWAPPED and onto.is_onto(job):
        raise Failed("what is kept aside is the empty database of this host: discard it")
    if job.phase == KEPT and not unproven:
        refuse_unproven(job)
    copy = copy_of(settings)
    read_control(settings, copy.data)
    if not can_exchange(copy.folder):
        raise Failed(f"{copy.folder}: the file system cannot exchange two folders (renameat2)")
    job.swap = {"back_to": job.phase, "asked": time.time()}
    job.phase = "promoting" if job.phase == SWAPPED else "preparing"
    job.save()
    return job


def promote(settings: Settings, job: Job) -> str:
    """Give the former data a history of their own: the one that they had ended when others took their place."""
    copy, newest = copy_of(settings), newest_served()
    before = read_control(settings, copy.data)
    promoted = before.timeline > newest  # by a swap that was killed, or abandoned: no number is taken twice
    if promoted and before.stopped_cleanly:
        return "preparing"
    if not targets.archived_history(settings, 1, newest):
        # PostgreSQL counts on from the histories in the archive: without them it takes a number that is used.
        raise Failed("the repository does not have the history that served last: try again when it answers")
    if not promoted:
        signal = copy.data / SIGNALS[0]
        signal.touch(0o600)
        to_postgres(signal)
    # Of its own history, not of that which serves now; a number that none in the archive has.
    options = {"recovery_target_timeline": "current", "recovery_target_action": "promote"}
    with copy.serving(live_control(settings), options=options, tell=say):
        pass
    job.asked["spoiled"] = read_control(settings, copy.data).timeline <= newest
    job.save()
    return "preparing"


def prepare(settings: Settings, job: Job) -> str:
    """Make the copy ready to serve, while the live data still do."""
    copy = copy_of(settings)
    if is_exchanged(settings, job):
        return "starting"
    control, live = read_control(settings, copy.data), live_control(settings)
    if not control.stopped_cleanly:
        raise Failed(f"the copy was not stopped cleanly: it is {control.state}")
    if onto.is_onto(job):
        rows.refuse(settings)
    elif live and live.system != control.system:
        raise Failed("the copy is of another cluster")
    refuse_taken_history(settings, control, live)
    newest = job.asked["timeline"] if onto.is_onto(job) else newest_served() or (live.timeline if live else 0)
    ready_to_archive(copy.data, control, newest)
    adopt_settings(copy.data, live_data(settings))
    for name in SIGNALS:
        (copy.data / name).unlink(missing_ok=True)
    flush(copy.data)
    job.swap |= {
        "timeline": control.timeline,
        "former_timeline": live.timeline if live else 0,
        "checkpoint": control.checkpoint,
        "former_beat": None,
    }
    with suppress(Failed):
        job.swap["former_beat"] = proving.newest_beat(lambda statement, name: sql(settings, statement, name))
        sql(settings, "checkpoint", timeout=600)
    return "stopping"


def stop(settings: Settings, job: Job) -> str:
    """Stop the live database."""
    if is_exchanged(settings, job):
        return "starting"
    if onto.is_onto(job):
        _refuse_rows(settings, job)
    job.swap["outage_began"] = time.time()
    job.save()
    systemctl("stop", settings.unit, must=True)
    live = live_control(settings)
    if live and not live.stopped_cleanly:
        say(f"It was not stopped cleanly ({live.state}): should it serve again, it recovers first.")
    return "exchanging"


def _refuse_rows(settings: Settings, job: Job) -> None:
    """Look once more: from here on nobody can write any. A program that was killed may have stopped the database."""
    try:
        rows.refuse(settings)
    except Failed as error:
        if isinstance(error, rows.HoldsRows) or not job.swap.get("empty"):
            raise
    job.swap["empty"] = True


def change_places(settings: Settings, job: Job) -> str:
    """Exchange the two data directories."""
    if not is_exchanged(settings, job):
        systemctl("stop", settings.unit, must=True)  # a host that lost power has started it again
        exchange(live_data(settings), copy_of(settings).data)
    return "starting"


def start(settings: Settings, job: Job) -> str:
    """Start the database with the new data, and see that it serves with its own configuration, archiving on."""
    job.swap.setdefault("outage_began", time.time())
    systemctl("reset-failed", settings.unit)
    systemctl("start", settings.unit, must=True)
    faults = wait_until_serving(settings, job.swap["timeline"])
    if faults:
        raise Failed(f"it does not serve as it should: {'; '.join(faults)}")
    now = time.time()
    job.swap |= {"served": now, "outage": round(now - job.swap["outage_began"], 2)}
    targets.note_served(job.swap["former_timeline"], job.swap["timeline"], now)
    if onto.is_onto(job):
        onto.note_served(job, now)
    job.save()
    return "archiving"


def archive(settings: Settings, job: Job) -> str:
    """See WAL of the new history arrive in the repository, and the file that says where it came from."""
    if onto.is_onto(job):
        onto.adopt_folder(settings)
    with suppress(Failed):
        sql(settings, watching.ROW, CANARY)
    archive_now(settings, ARCHIVES)
    history = live_data(settings) / f"pg_wal/archive_status/{job.swap['timeline']:08X}.history.done"
    until = time.monotonic() + ARCHIVES
    while not history.exists():
        if time.monotonic() > until:
            raise Failed(f"{history.stem} was not archived within {ARCHIVES} s")
        time.sleep(0.2)
    return "backing-up"


def back_up(settings: Settings, job: Job) -> str:  # noqa: ARG001 - one form for all
    """Begin a full backup: those before it are of another history."""
    systemctl("start", "--no-block", FULL, must=True)
    # After the way back what lies aside is the copy that served meanwhile, and it can serve again.
    return SWAPPED


def turn_back(settings: Settings, job: Job) -> str:
    """Have the data serve that served before. Raises `Serves` when the new ones served already."""
    if is_exchanged(settings, job):
        if has_served(settings, job):
            raise Serves("the new data have served: go on with --resume; then another --swap exchanges them again")
        systemctl("stop", settings.unit, must=True)
        if is_exchanged(settings, job):
            exchange(live_data(settings), copy_of(settings).data)
    systemctl("reset-failed", settings.unit)
    systemctl("start", settings.unit, must=True)
    return str(job.swap.get("back_to", KEPT))


def is_exchanged(settings: Settings, job: Job) -> bool:
    """Whether the copy's data lie where the live ones are: their timelines tell, which no two of them share."""
    timeline = job.swap.get("timeline")
    if not timeline:
        return False
    live = live_control(settings)
    if live is not None:
        return bool(live.timeline == timeline)
    with suppress(Failed):
        return bool(read_control(settings, copy_of(settings).data).timeline != timeline)
    raise Failed("neither of the two data directories is whole")


def has_served(settings: Settings, job: Job) -> bool:
    """Whether the new data were ever started where they are now: their control file then says something else."""
    control = live_control(settings)
    return control is None or not control.stopped_cleanly or control.checkpoint != job.swap["checkpoint"]


def wait_until_serving(settings: Settings, timeline: int) -> list[str]:
    """Wait until the database serves, and return what is wrong with how it does."""
    until = time.monotonic() + ANSWERS
    while True:
        try:
            row = sql(settings, _SERVING, timeout=10)[0]
            break
        except (Failed, IndexError) as error:
            if time.monotonic() > until or _state(settings.unit) == "failed":
                return [f"it does not answer: {error}"]
            time.sleep(0.1)
    recovering, archives, folder, serving, altered = row
    faults = []
    if recovering != "f":
        faults.append("it is in recovery")
    if archives != "on":
        faults.append("it does not archive")
    if Path(folder).resolve() != live_data(settings):
        faults.append(f"its data are in {folder}")
    if int(serving) != timeline:
        faults.append(f"it is on timeline {serving}")
    if altered != "0":
        faults.append("postgresql.auto.conf sets something")
    return faults


_SERVING = f"""select pg_is_in_recovery(), current_setting('archive_mode'), current_setting('data_directory'),
case when pg_is_in_recovery() then 0 else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int end,
(select count(*) from pg_file_settings where sourcefile like '%/{AUTO_CONF}')"""


def systemctl(*words: str, must: bool = False) -> None:
    ended = subprocess.run(["systemctl", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if must and ended.returncode:
        raise Failed(f"systemctl {' '.join(words)}: {ended.stderr.strip() or ended.returncode}")


def _state(unit: str) -> str:
    argv = ["systemctl", "show", "-p", "ActiveState", "--value", unit]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()


def remove(settings: Settings, job: Job) -> str:  # noqa: ARG001 - one form for all
    """Remove what is kept aside."""
    copy: Instance = copy_of(settings)
    copy.remove()
    onto.forget_keys()
    return ""
