"""What is claimed of backups, from what was noted; and the file that keeps room on the disk."""

import json
import os
import tempfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from healthv1_backup import backing_up, claims, marking, notes, proof, retired, watching
from healthv1_backup.processes import Failed
from healthv1_backup.settings import Settings

NOW = 2_000_000_000.0
HOUR, DAY = 3600, 86_400


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setattr(notes.read, "__defaults__", (tmp_path,))
    monkeypatch.setattr(notes.write, "__defaults__", (tmp_path,))
    monkeypatch.setattr(notes.remove, "__defaults__", (tmp_path,))
    monkeypatch.setattr(notes.measure, "__defaults__", (tmp_path,))
    return Settings("health", 17, 5432, "/data", "unit", ("/r/1",), (), 30, 60, 16, DAY, "app", "owner")


def proven(*, folder="/r/1", faults=(), age=HOUR, newest=HOUR):
    found = proof.Proof(1, folder, int(NOW - age), 1.0, tuple(faults), 2, int(NOW - newest), "L", int(NOW - newest))
    notes.write("proof", {"schema": proof.SCHEMA, "repositories": [vars(found)]})


def watched(**values):
    whole = {
        "at": NOW, "beat": NOW - 30, "last_archived": NOW - 60, "last_segment": "", "last_failed": 0, "waiting": 0,
        "unarchived_since": NOW - 60,
        "wal_bytes": 2**24, "free": 0.5, "reserve": 16, "reserve_gone": 0, "fault": "",
    }  # fmt: skip
    notes.write("watch", whole | values)


def what(claim, settings):
    return claims.CLAIMS[claim](settings, NOW)


def test_all_is_well(settings, monkeypatch):
    monkeypatch.setattr(claims, "_turned_on", lambda _settings: NOW)  # a drill is not due yet
    proven()
    watched()
    notes.write("export", {"last_success": NOW - HOUR})
    settings = replace(settings, exports={"max_age": DAY})
    assert {claim: what(claim, settings) for claim in claims.CLAIMS} == {claim: [] for claim in claims.CLAIMS}


@pytest.mark.parametrize(
    ("noted", "words"),
    [
        ({"folder": "/r/2"}, "never read back"),  # another passphrase, another folder: what was proven is elsewhere
        ({"faults": ["WAL is missing: 0001"]}, "WAL is missing: 0001"),
        ({"age": DAY + 4 * HOUR}, "last read back 28 h ago"),
    ],
)
def test_a_backup_that_was_not_read_back_does_not_count(settings, noted, words):
    proven(**noted)
    assert words in what("proven", settings)[0]


def test_nothing_noted_proves_nothing(settings):
    assert "never read back" in what("proven", settings)[0]
    for claim in ("archived", "canary", "room"):
        assert what(claim, settings), claim


def test_a_note_of_another_kind_proves_nothing(settings, tmp_path):
    (tmp_path / "proof.json").write_text("{}\n")
    assert "never read back" in what("proven", settings)[0]
    (tmp_path / "proof.json").write_text("no JSON")
    assert "never read back" in what("proven", settings)[0]


def test_an_old_backup_is_told(settings):
    proven(newest=DAY + 2 * HOUR)
    assert what("recent", settings) == []
    proven(newest=DAY + 4 * HOUR)
    assert "the newest backup ended 28 h ago" in what("recent", settings)[0]


def test_a_failed_backup_is_told_until_one_succeeds(settings):
    proven()
    notes.write("failure", {"at": NOW - HOUR * 2, "repository": 1, "what": "no space"})
    assert what("recent", settings) == ["the last backup failed 2 h ago: no space"]


@pytest.mark.parametrize(
    ("noted", "words"),
    [
        ({"unarchived_since": NOW - 500}, "what was written since 8 min ago is on this host alone"),
        ({"waiting": 60}, "60 WAL segments wait"),
    ],
)
def test_wal_that_is_not_archived_is_told(settings, noted, words):
    watched(**noted)
    assert words in what("archived", settings)[0]


@pytest.mark.parametrize(
    ("archived", "oldest_waiting", "started", "since"),
    [
        (100, 0, 50, 100),
        (100, 0, 400, 400),  # it was off meanwhile, and had archived all as it stopped
        (0, 0, 400, 400),
        (100, 130, 50, 100),
        (100, 90, 50, 90),
        (0, 130, 120, 120),
    ],
)
def test_what_is_on_the_host_alone_began_with_the_first_write_after_the_last_archived(
    archived, oldest_waiting, started, since
):
    assert watching.unarchived_since(archived, oldest_waiting, started) == since


@pytest.mark.parametrize(("up", "started"), [(20.5, 0), (90_020.5, 90_000)])  # a host, and a container
def test_a_host_that_was_off_until_now_has_had_no_look(settings, monkeypatch, tmp_path, up, started):
    monkeypatch.setattr(claims, "PROC", tmp_path)
    monkeypatch.setattr(claims.os, "sysconf", lambda _name: 100)
    (tmp_path / "1").mkdir()
    (tmp_path / "1/stat").write_text(f"1 (a b) S {'0 ' * 18}{started * 100} 0 0\n")
    watched(beat=NOW - 4000, unarchived_since=NOW - 4000)
    (tmp_path / "uptime").write_text(f"{up} 30.1\n")
    assert (what("canary", settings), what("archived", settings)) == ([], [])
    (tmp_path / "uptime").write_text(f"{up + 140} 30.1\n")
    assert all((what("canary", settings), what("archived", settings)))


def test_a_canary_that_stopped_is_told_with_the_reason(settings):
    watched(beat=NOW - 400, fault="PostgreSQL does not answer")
    assert what("canary", settings) == ["its last row was written 7 min ago: PostgreSQL does not answer"]


def test_little_room_is_told_and_a_reserve_that_went(settings):
    watched(free=0.09)
    assert "9% of the disk" in what("room", settings)[0]
    watched(free=0.5, reserve=0, reserve_gone=NOW - 3 * HOUR)
    assert "its reserve went" in what("room", settings)[0]


class TestWatch:
    @pytest.fixture
    def data(self, tmp_path):
        status = tmp_path / "17/health/pg_wal/archive_status"
        status.mkdir(parents=True)
        for number, name in enumerate(("1.ready", "2.ready", "0.done")):
            (status / name).touch()
            os.utime(status / name, (NOW, NOW + number))
        return tmp_path / "17/health"

    def test_what_waits_is_counted_on_the_disk(self, data):
        assert watching.waiting_wal(data) == (2, NOW)

    def test_a_postgresql_that_is_down_takes_nothing_back_of_what_was_known(self, settings, data, monkeypatch):
        def down(*_):
            raise Failed("PostgreSQL does not answer: no room")

        watched(waiting=1, last_archived=NOW - 900, unarchived_since=NOW - 900, last_segment="S")
        monkeypatch.setattr(watching, "sql", down)
        found = watching.watch(replace(settings, data=str(data), reserve=4096))
        assert (found.waiting, found.last_archived, found.unarchived_since) == (2, NOW - 900, NOW - 900)
        assert (found.last_segment, found.fault) == ("S", "PostgreSQL does not answer: no room")
        assert found.beat == NOW - 30


class TestReserve:
    @pytest.fixture
    def data(self, tmp_path):
        data = tmp_path / "17/health"
        (data / "pg_wal").mkdir(parents=True)
        return data

    @pytest.fixture
    def disk(self, monkeypatch):
        disk = SimpleNamespace(f_bavail=50, f_blocks=100, f_frsize=4096)
        monkeypatch.setattr(watching.os, "statvfs", lambda _path: disk)
        return disk

    @pytest.mark.usefixtures("disk")
    def test_it_is_on_the_file_system_of_the_wal_and_moves_there_with_it(self, data):
        beside = data.parent.parent / watching.RESERVE
        with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
            assert Path(other).stat().st_dev != data.stat().st_dev
            watching.keep_reserve(data, 2**20, 0)
            wal = Path(other, "wal/health")
            wal.mkdir(parents=True)
            (data / "pg_wal").rmdir()
            (data / "pg_wal").symlink_to(wal)
            assert watching.keep_reserve(data, 2**20, 0) == (0.5, 2**20, 0)
            assert (wal.parent / watching.RESERVE).stat().st_size == 2**20
            assert not beside.exists()
            assert watching.keep_reserve(data, 2**20, 0) == (0.5, 2**20, 0)
            (data / "pg_wal").unlink()
        (data / "pg_wal").mkdir()
        watching.keep_reserve(data, 2**20, 0)
        assert beside.exists()

    @pytest.mark.usefixtures("disk")
    def test_it_takes_its_size_on_the_disk(self, data):
        assert watching.keep_reserve(data, 2**20, 0) == (0.5, 2**20, 0)
        assert (data.parent.parent / watching.RESERVE).stat().st_blocks * 512 >= 2**20

    def test_it_goes_when_the_disk_is_nearly_full_and_this_is_noted(self, data, disk):
        watching.keep_reserve(data, 2**20, 0)
        disk.f_bavail = 1
        free, size, gone = watching.keep_reserve(data, 2**20, 0)
        assert (free, size) == (0.01, 0)
        assert gone
        assert not (data.parent.parent / watching.RESERVE).exists()

    def test_it_does_not_come_back_before_there_is_room_again(self, data, disk):
        disk.f_bavail = 5
        assert watching.keep_reserve(data, 2**20, 7) == (0.05, 0, 7)
        disk.f_bavail = 40
        assert watching.keep_reserve(data, 2**20, 7) == (0.4, 2**20, 0)

    def test_two_per_cent_are_still_enough(self, data, disk):
        watching.keep_reserve(data, 2**20, 0)
        disk.f_bavail = 2
        assert watching.keep_reserve(data, 2**20, 0) == (0.02, 2**20, 0)


def test_an_incremental_backup_is_left_out_after_one_that_just_ended(settings, monkeypatch):
    monkeypatch.setattr(backing_up, "alone", nullcontext)
    monkeypatch.setattr(backing_up.time, "time", lambda: NOW)
    monkeypatch.setattr(backing_up, "pgbackrest", lambda *_words: pytest.fail("a backup was made"))
    proven(newest=600)
    assert backing_up.back_up(settings, "incr", by_timer=True) == proof.noted()
    with pytest.raises(pytest.fail.Exception):
        backing_up.back_up(settings, "full", by_timer=True)
    proven(newest=2 * HOUR)
    with pytest.raises(pytest.fail.Exception):
        backing_up.back_up(settings, "incr", by_timer=True)


def test_a_failed_backup_is_noted_and_what_is_kept_is_read_back_all_the_same(settings, monkeypatch, tmp_path):
    monkeypatch.setattr(backing_up, "alone", nullcontext)
    failed = SimpleNamespace(code=82, why="ERROR: [082]: no answer")
    monkeypatch.setattr(backing_up, "pgbackrest", lambda *_words: failed)
    monkeypatch.setattr(proof, "prove", lambda _settings, number: proof.Proof(number, "/r/1", 1, 1.0, ("unread",)))
    with pytest.raises(Failed, match="repository 1: ERROR"):
        backing_up.back_up(settings, "full")
    assert notes.read("failure")["what"] == "ERROR: [082]: no answer"
    assert proof.noted().proofs[0].faults == ("unread",)
    assert "healthv1_backup_proven 0\n" in (tmp_path / "backup.prom").read_text()


def test_of_several_repositories_the_worst_one_counts(settings, tmp_path, monkeypatch):
    both = {
        1: proof.Proof(1, "/r/1", 5, 1.0, (), 3, 500, "A", 400),
        2: proof.Proof(2, "/r/2", 5, 1.0, ("hole",), 2, 300),
    }
    monkeypatch.setattr(proof, "prove", lambda _settings, number: both[number])
    two = Settings(**{**vars(settings), "repositories": ("/r/1", "/r/2")})
    proof.prove_all(two)
    text = (tmp_path / "backup.prom").read_text()
    assert "healthv1_backup_proven 0\n" in text
    assert "healthv1_backup_last_proven_timestamp_seconds 0\n" in text
    assert "healthv1_backup_kept 2\n" in text


def test_times_in_metrics_are_whole(tmp_path):
    notes.measure("times", {"a": ("When.", 1795943027.0), "b": ("How much.", 0.25)}, tmp_path)
    assert "a 1795943027\n" in (tmp_path / "times.prom").read_text()
    assert "b 0.25\n" in (tmp_path / "times.prom").read_text()
    assert (tmp_path / "times.prom").stat().st_mode & 0o777 == 0o644


def test_a_note_is_private_and_there_whole(tmp_path):
    notes.write("secret", {"a": 1}, tmp_path)
    assert json.loads((tmp_path / "secret.json").read_text()) == {"a": 1}
    assert (tmp_path / "secret.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret.json"]


@pytest.mark.parametrize("name", ["", "a b", "A", "x'; drop table", "-x", "a" * 64])
def test_a_restore_point_has_a_plain_name(settings, name):
    with pytest.raises(Failed, match="a name has letters"):
        marking.mark(settings, name)


def test_a_name_is_used_once(settings, monkeypatch):
    monkeypatch.setattr(marking, "sql", lambda *_words: [["0/3000028", "x"]])
    assert marking.mark(settings, "before-1.2")["position"] == "0/3000028"
    with pytest.raises(Failed, match="made before"):
        marking.mark(settings, "before-1.2")


class TestRetiredFolders:
    """Of an earlier passphrase: what is in them can be restored for as long as backups are kept."""

    @pytest.fixture
    def removed(self, monkeypatch):
        removed = []

        def pgbackrest(_settings, *words):
            removed.append(words)
            return SimpleNamespace(code=0, why="")

        monkeypatch.setattr(retired, "pgbackrest", pgbackrest)
        monkeypatch.setattr(retired.time, "time", lambda: NOW)
        return removed

    def noted(self, *, since, oldest, faults=()):
        notes.write("retired", {"folders": [{"repository": 1, "folder": "/r/0", "since": int(NOW - since)}]})
        return proof.Noted(
            (proof.Proof(1, "/r/1", int(NOW), 1.0, tuple(faults), 2, int(NOW), "L", int(NOW), int(NOW - oldest)),)
        )

    def test_a_folder_that_is_written_to_no_more_is_noted_once(self, settings):
        retired.note_retired(["/r/0"], settings)
        retired.note_retired(["/r/0"], settings)
        assert [entry["folder"] for entry in notes.read("retired")["folders"]] == ["/r/0"]
        retired.note_retired(["/r/1"], settings)  # the same one: nothing left it
        assert [entry["folder"] for entry in notes.read("retired")["folders"]] == ["/r/0"]

    def test_who_goes_back_to_it_takes_it_off_the_list(self, settings):
        retired.note_retired(["/r/1"], Settings(**{**vars(settings), "repositories": ("/r/2",)}))
        retired.note_retired(["/r/2"], settings)
        assert [entry["folder"] for entry in notes.read("retired")["folders"]] == ["/r/2"]

    def test_it_is_removed_once_nobody_needs_it(self, settings, removed):
        retired.remove_old(settings, self.noted(since=31 * DAY, oldest=30.5 * DAY))
        assert [words[:2] + words[-1:] for words in removed] == [
            ("--repo=1", "--repo1-path=/r/0", "backup"),
            ("--repo=1", "--repo1-path=/r/0", "archive"),
        ]
        assert notes.read("retired")["folders"] == []

    @pytest.mark.parametrize(
        "noted",
        [
            {"since": 29 * DAY, "oldest": 40 * DAY},
            {"since": 31 * DAY, "oldest": 3 * DAY},
            {"since": 31 * DAY, "oldest": 30 * DAY, "faults": ["WAL is missing: 1"]},
        ],
    )
    def test_it_stays_while_it_is_young_or_nothing_else_reaches_as_far_back(self, settings, removed, noted):
        retired.remove_old(settings, self.noted(**noted))
        assert removed == []

    def test_the_folder_of_today_is_never_removed(self, settings, removed):
        notes.write("retired", {"folders": [{"repository": 1, "folder": "/r/1", "since": 0}]})
        retired.remove_old(settings, proof.noted())
        assert removed == []
