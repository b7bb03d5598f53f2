"""What becomes of a restore that stopped at any of its steps."""

import os

import pytest

from healthv1_backup import exchange, job, notes, readying, restoring, steps, swapping, targets
from healthv1_backup.control import parse
from healthv1_backup.job import BESIDE, KEPT, SWAP, SWAPPED, Busy, Job
from healthv1_backup.processes import Failed
from tests.unit.deploys.test_restored_copies import CONTROL


@pytest.fixture
def kept_notes(tmp_path, monkeypatch):
    """Keep the program's notes in a folder of the test, and call no systemctl."""
    kept = {}
    monkeypatch.setattr(notes, "write", lambda name, document: kept.update({name: {**document}}))
    monkeypatch.setattr(notes, "read", lambda name: {**kept.get(name, {})})
    monkeypatch.setattr(notes, "remove", lambda name: kept.pop(name, None))
    monkeypatch.setattr(steps, "systemctl", lambda *_, **__: None)
    monkeypatch.setattr(steps, "is_active", lambda: False)
    return kept


def noted(phase, **swap):
    stopped = Job(phase, {"text": "latest"}, swap={"back_to": KEPT, **swap})
    stopped.save()
    return stopped


def serving(monkeypatch, *, exchanged, served):
    monkeypatch.setattr(steps, "is_exchanged", lambda *_: exchanged)
    monkeypatch.setattr(swapping, "has_served", lambda *_: served)


@pytest.mark.parametrize("phase", BESIDE)
def test_a_restore_beside_that_is_abandoned_is_removed(kept_notes, phase):
    noted(phase)
    assert steps.abandon(None).phase == "removing"


@pytest.mark.parametrize("phase", SWAP)
@pytest.mark.parametrize(("exchanged", "served"), [(False, False), (True, False), (True, True)])
def test_a_swap_that_is_abandoned_goes_back_until_the_new_data_have_served(
    kept_notes, monkeypatch, phase, exchanged, served
):
    noted(phase)
    serving(monkeypatch, exchanged=exchanged, served=served)
    if served or phase in {"archiving", "backing-up"}:
        with pytest.raises(swapping.Serves, match="--resume"):
            steps.abandon(None)
        assert Job.load().phase == phase
    else:
        assert steps.abandon(None).phase == "returning"


@pytest.mark.parametrize("phase", [KEPT, SWAPPED])
def test_what_rests_is_not_abandoned_and_keeps_a_new_restore_out(kept_notes, phase):
    noted(phase)
    with pytest.raises(Busy, match="--discard"):
        steps.abandon(None)
    with pytest.raises(Busy, match="kept"):
        restoring.refuse_kept(Job.load())
    assert steps.discard().phase == "removing"


@pytest.mark.parametrize("phase", [*BESIDE, *SWAP, "returning", "removing"])
def test_what_is_under_way_keeps_everything_else_out_and_is_told_by_the_claim(kept_notes, phase):
    noted(phase)
    with pytest.raises(Busy, match=f"at {phase}"):
        restoring.refuse_kept(Job.load())
    with pytest.raises(Busy, match=f"at {phase}"):
        steps.discard()
    assert steps.unfinished() == [f"a restore to latest stopped at {phase}"]


def test_a_new_copy_that_is_not_proven_is_not_swapped_in():
    with pytest.raises(job.Unproven, match="WAL is missing"):
        restoring.refuse_unproven(Job(KEPT, proven={"faults": ["WAL is missing"]}))
    with pytest.raises(job.Unproven, match="nothing was tried"):
        restoring.refuse_unproven(Job(KEPT))
    restoring.refuse_unproven(Job(KEPT, proven={"faults": []}))


def test_every_step_is_known_and_means_something():
    assert set(steps.STEPS) == {*BESIDE, *SWAP, *job.OTHER}
    assert set(job.MEANING) == {*steps.STEPS, KEPT, SWAPPED}


@pytest.mark.parametrize("phase", ["stopping", "exchanging", "starting"])
def test_when_a_step_fails_while_the_database_is_down_the_former_data_serve_again(kept_notes, monkeypatch, phase):
    def fails(*_):
        raise Failed("no")

    monkeypatch.setitem(steps.STEPS, phase, fails)
    monkeypatch.setattr(swapping, "turn_back", lambda *_: KEPT)
    assert steps._go(None, noted(phase)) == 1
    after = Job.load()
    assert (after.phase, after.failure["step"], after.failure["what"]) == (KEPT, phase, "no")


def test_when_the_new_data_have_served_a_failure_leaves_them_serving(kept_notes, monkeypatch):
    def fails(*_):
        raise Failed("it does not archive")

    def serves(*_):
        raise swapping.Serves("no way back")

    monkeypatch.setitem(steps.STEPS, "starting", fails)
    monkeypatch.setattr(swapping, "turn_back", serves)
    assert steps._go(None, noted("starting")) == 1
    assert Job.load().phase == "starting"


def controlled(**values):
    text = CONTROL.format(connections=100)
    for told, value in values.items():
        text = "\n".join(
            f"{line.partition(':')[0]}: {value}" if line.startswith(told.replace("_", " ")) else line
            for line in text.splitlines()
        )
    return parse(text)


def test_the_new_data_have_served_once_their_control_file_moved(monkeypatch):
    prepared = controlled()
    swapped = Job("starting", swap={"checkpoint": prepared.checkpoint})
    for now, served in (
        (prepared, False),
        (controlled(Database_cluster_state="in production"), True),
        (controlled(Latest_checkpoint_location="0/B000028"), True),
        (None, True),
    ):
        monkeypatch.setattr(swapping, "live_control", lambda _, now=now: now)
        assert swapping.has_served(None, swapped) is served


def test_the_timelines_tell_which_data_lie_where(monkeypatch):
    swapped = Job("starting", swap={"timeline": 2})
    for timeline, exchanged in ((2, True), (1, False)):
        now = parse(CONTROL.format(connections=1).replace("TimeLineID:       2", f"TimeLineID: {timeline}"))
        monkeypatch.setattr(swapping, "live_control", lambda _, now=now: now)
        assert swapping.is_exchanged(None, swapped) is exchanged
    assert not swapping.is_exchanged(None, Job("preparing"))


@pytest.mark.parametrize(
    ("served", "archived", "taken"),
    [([], "", False), ([1], "", False), ([1, 2], "", True), ([1], "…/00000002.history", True)],
)
def test_no_two_histories_get_one_number(kept_notes, monkeypatch, served, archived, taken):
    """Also where the repository does not answer: then PostgreSQL has seen no other number either."""
    copy = controlled()
    live = parse(CONTROL.format(connections=1).replace("TimeLineID:       2", "TimeLineID: 1"))
    assert (live.timeline, copy.timeline) == (1, 2)
    for number in served:
        targets.note_served(0, number, float(number))

    def asked(*_):
        if not archived:
            raise Failed("no answer")
        return archived

    monkeypatch.setattr(targets, "archived_history", asked)
    if taken:
        with pytest.raises(Failed, match="with its number"):
            readying.refuse_taken_history(None, copy, live)
    else:
        readying.refuse_taken_history(None, copy, live)
    with pytest.raises(Failed, match="with its number"):
        readying.refuse_taken_history(None, copy, copy)


def test_two_folders_change_places_at_once(tmp_path):
    one, other = tmp_path / "health", tmp_path / "restored/data"
    for folder in (one, other):
        folder.mkdir(parents=True)
        (folder / "whose").write_text(folder.name)
    exchange.exchange(one, other)
    assert ((one / "whose").read_text(), (other / "whose").read_text()) == ("data", "health")
    exchange.exchange(one, other)
    assert (one / "whose").read_text() == "health"
    assert exchange.can_exchange(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["health", "restored"]


def test_where_nothing_lives_the_copy_takes_its_place(tmp_path):
    (tmp_path / "restored/data").mkdir(parents=True)
    exchange.exchange(tmp_path / "health", tmp_path / "restored/data")
    assert (tmp_path / "health").is_dir()
    assert not (tmp_path / "restored/data").exists()


def test_a_copy_takes_up_no_setting_that_a_restore_left(tmp_path, monkeypatch):
    """Archiving would be off. By content and time the next apply sees that nothing is new to PostgreSQL."""
    monkeypatch.setattr(readying, "to_postgres", lambda _: None)
    live, copy = tmp_path / "live", tmp_path / "copy"
    for folder in (live, copy):
        folder.mkdir()
    header = "# Do not edit this file manually!\n"
    (live / readying.AUTO_CONF).write_text(header)
    os.utime(live / readying.AUTO_CONF, (1000, 1000))
    (copy / readying.AUTO_CONF).write_text(f"{header}archive_mode = 'off'\nrestore_command = 'x'\n")
    readying.adopt_settings(copy, live)
    assert (copy / readying.AUTO_CONF).read_text() == header
    assert (copy / readying.AUTO_CONF).stat().st_mtime == 1000
    (live / readying.AUTO_CONF).write_text(f"{header}work_mem = '1GB'\n")
    readying.adopt_settings(copy, live)
    assert (copy / readying.AUTO_CONF).read_text() == header


def test_what_a_copy_wrote_before_it_archived_is_archived(tmp_path, monkeypatch):
    """Its history too: else a later restore would not find the way from the old timeline to the new one."""
    monkeypatch.setattr(readying, "to_postgres", lambda _: None)
    wal = tmp_path / "pg_wal"
    (wal / "archive_status").mkdir(parents=True)
    names = ["00000002.history", *(f"0000000200000000000000{number}" for number in ("08", "09", "0A", "0B"))]
    for name in [*names, "000000010000000000000008"]:
        (wal / name).touch()
    (wal / "archive_status/000000020000000000000008.done").touch()
    readying.ready_to_archive(tmp_path, controlled(), 1)  # it is in segment A
    ready = sorted(path.name for path in (wal / "archive_status").glob("*.ready"))
    assert ready == ["00000002.history.ready", "000000020000000000000009.ready"]


@pytest.mark.parametrize(
    ("newest", "ready"), [(1, ["00000002.history", "00000003.history"]), (2, ["00000003.history"])]
)
def test_both_histories_of_a_copy_whose_promotion_was_killed_are_archived(tmp_path, monkeypatch, newest, ready):
    """Else the next one to be promoted would find a gap in the archive, and take a number that is used."""
    monkeypatch.setattr(readying, "to_postgres", lambda _: None)
    (tmp_path / "pg_wal/archive_status").mkdir(parents=True)
    for name in ("00000002.history", "00000003.history", "00000004.history"):
        (tmp_path / "pg_wal" / name).touch()
    control = parse(CONTROL.format(connections=1).replace("TimeLineID:       2", "TimeLineID: 3"))
    readying.ready_to_archive(tmp_path, control, newest)
    assert sorted(path.stem for path in (tmp_path / "pg_wal/archive_status").glob("*.ready")) == ready
