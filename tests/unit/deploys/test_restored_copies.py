"""What a restored copy may be, and when its proof fails: judged without a host."""

import pytest

from healthv1_backup import control, instance, proving
from healthv1_backup.instance import Instance, Target
from healthv1_backup.proving import Expected

CONTROL = """\
Database system identifier:           7713512684141016821
Database cluster state:               shut down
Latest checkpoint location:           0/A0FC468
Latest checkpoint's REDO WAL file:    00000002000000000000000A
Latest checkpoint's TimeLineID:       2
max_connections setting:              {connections}
max_worker_processes setting:         8
max_wal_senders setting:              10
max_prepared_xacts setting:           0
max_locks_per_xact setting:           64
"""
MIB = 2**20


def controlled(connections=100):
    return control.parse(CONTROL.format(connections=connections))


def test_a_copy_allows_at_least_what_the_live_cluster_and_its_backup_allowed():
    limits = control.highest_limits(controlled(100), controlled(300))
    assert limits["max_connections"] == 300
    assert limits["max_locks_per_transaction"] == 64


def test_pg_control_tells_timeline_and_state():
    told = controlled()
    assert (told.timeline, told.stopped_cleanly, told.segment) == (2, True, "00000002000000000000000A")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Target(), ["--type=default"]),
        (Target(timeline=3), ["--type=default", "--target-timeline=3"]),
        (
            Target("time", "2026-11-29 08:30:00+00", 2),
            ["--type=time", "--target-action=promote", "--target=2026-11-29 08:30:00+00", "--target-timeline=2"],
        ),
        (Target("immediate", timeline=2), ["--type=immediate", "--target-action=promote"]),
    ],
)
def test_a_target_becomes_pgbackrests_words(target, words):
    assert target.words() == words


def test_a_target_that_is_not_reached_is_a_fault_of_its_own():
    log = [
        "LOG:  starting archive recovery",
        "FATAL:  the database system is starting up",
        "FATAL:  recovery ended before configured recovery target was reached",
        "LOG:  startup process (PID 7) exited with exit code 1",
    ]
    died = instance._death(log)
    assert isinstance(died, instance.TargetNotReached)
    assert "has a hole" in str(died)


def test_another_death_is_told_in_its_own_words():
    died = instance._death(["FATAL:  the database system is starting up", "FATAL:  could not map shared memory"])
    assert not isinstance(died, instance.TargetNotReached)
    assert "could not map shared memory" in str(died)
    assert "empty" in str(instance._death([]))


def test_a_restore_needs_disk_and_memory():
    assert instance.shortages(1000 * MIB, 1300 * MIB, 256 * MIB) == []
    assert "1300 MiB of disk, and 1299 MiB are free" in instance.shortages(1000 * MIB, 1299 * MIB, 256 * MIB)[0]
    assert "256 MiB of memory, and 255 MiB are free" in instance.shortages(0, 0, 255 * MIB)[0]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    folder = tmp_path / "health.restored"
    folder.mkdir()
    (folder / "theirs").touch()
    copy = Instance(None, folder, tmp_path / "run")
    with pytest.raises(instance.Failed, match="is not ours"):
        copy.make()
    copy.remove()
    assert (folder / "theirs").exists()


def test_a_link_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "health.restored").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(instance.Failed, match="is not ours"):
        Instance(None, tmp_path / "health.restored", tmp_path / "run").make()


def test_the_mark_goes_last_when_a_copy_is_removed(tmp_path, monkeypatch):
    copy = Instance(None, tmp_path / "health.restored", tmp_path / "run")
    (copy.folder / "data").mkdir(parents=True)
    (copy.folder / "spool").mkdir()
    (copy.folder / instance.MARK).touch()
    monkeypatch.setattr(instance.shutil, "rmtree", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        copy.remove()
    assert copy.is_there
    monkeypatch.undo()
    copy.remove()
    assert not copy.folder.exists()


NOW = 1_800_000_000.0


def test_the_latest_moment_is_as_young_as_the_archive_can_be():
    wanted = proving.expected(Target(), NOW, 60)
    assert proving.canary_faults(NOW - 200, wanted) == []
    (fault,) = proving.canary_faults(NOW - 600, wanted)
    assert "WAL is missing from then on" in fault


def test_a_copy_of_a_moment_holds_the_minute_before_and_nothing_after():
    wanted = proving.expected(Target("time", "…"), NOW, 60, moment=NOW - 5000)
    assert proving.canary_faults(NOW - 5030, wanted) == []
    assert "WAL is missing" in proving.canary_faults(NOW - 6000, wanted)[0]
    assert "recovery went too far" in proving.canary_faults(NOW - 4000, wanted)[0]


def test_nothing_is_expected_where_the_moment_is_not_known():
    assert proving.expected(Target("lsn", "0/5000000"), NOW, 60) == Expected()
    assert proving.canary_faults(None, Expected()) == []


def test_a_copy_without_a_canary_proves_nothing():
    assert "no row" in proving.canary_faults(None, Expected(not_before=NOW))[0]


def test_an_older_schema_is_told_and_a_newer_one_is_a_fault():
    assert proving.judge_schema(("0008",), ("0008",)) == ([], [])
    faults, told = proving.judge_schema(("0007",), ("0008",))
    assert not faults
    assert "an apply migrates it" in told[0]
    faults, told = proving.judge_schema(("0009",), ("0008",))
    assert "newer" in faults[0]
    assert not told


def test_a_master_key_that_is_not_in_use_any_more_is_named():
    assert proving.judge_keys(("aa",), ("aa", "bb")) == []
    assert "master key cc" in proving.judge_keys(("aa", "cc"), ("aa",))[0]
    assert "nothing in it is sealed" in proving.judge_keys((), ("aa",))[0]
