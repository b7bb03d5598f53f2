"""What a restore drill decides on the host: when it is due, whether it can be tried, and what is told of it."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from deploys.backup.checks import drill_checks
from deploys.backup.configuration import DAY, program_file
from deploys.backup.settings import Backup, Directory
from deploys.cluster import Cluster
from deploys.faults import Refused
from deploys.stack import Stack
from healthv1_backup import asking, claims, drill_commands, drilling, evidence, notes, repository, settings
from healthv1_backup.asking import Asked
from healthv1_backup.drilling import Drill, Noted
from healthv1_backup.instance import shortages
from healthv1_backup.processes import Failed
from healthv1_backup.settings import Settings
from healthv1_backup.sweeping import names

NOW = 1_800_000_000.0
STACK = Stack(domain="a.test")
REPOSITORY = Directory(path="/srv/backup")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The program's settings, with its notes in a folder of the test's."""
    document = json.loads(program_file(Backup(repository=REPOSITORY), Cluster(17, 5432), STACK, "abc", 1))
    monkeypatch.setattr(notes.write, "__defaults__", (tmp_path,))
    monkeypatch.setattr(notes.read, "__defaults__", (tmp_path,))
    monkeypatch.setattr(claims, "STATE", tmp_path)
    (tmp_path / "prepared").write_text("/srv/backup\n")
    os.utime(tmp_path / "prepared", (NOW, NOW))
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in document.items()}
    return Settings(**values)


def _noted(**values):
    notes.write(drilling.NOTE, drilling.asdict(Noted(**values)))


def test_the_first_drill_is_not_due_until_its_interval_has_passed(here):
    assert claims.restore_was_drilled(here, NOW + 8 * DAY) == []
    assert claims.restore_was_drilled(here, NOW + 8 * DAY + 1) == ["no drill ever passed"]


def test_a_drill_is_overdue_by_the_time_that_was_noted(here):
    _noted(last_try=int(NOW), last_success=int(NOW), result="passed")
    assert claims.restore_was_drilled(here, NOW + 8 * DAY) == []
    assert claims.restore_was_drilled(here, NOW + 9 * DAY) == ["the last drill that passed was 9 days ago"]


@pytest.mark.parametrize("result", ["failed", "not tried", "cut short"])
def test_a_drill_that_did_not_pass_is_told_at_once(here, result):
    _noted(last_try=int(NOW), last_success=int(NOW) - DAY, result=result, why=("a byte is wrong",))
    assert claims.restore_was_drilled(here, NOW) == [f"the last drill, 0 s ago: {result}: a byte is wrong"]


def test_the_interval_is_the_settings():
    document = json.loads(
        program_file(Backup(repository=REPOSITORY, drill_max_age=30), Cluster(17, 5432), STACK, "abc", 1)
    )
    assert document["drill_max_age"] == 30 * DAY


def test_a_drill_has_to_run_more_often_than_it_is_due():
    assert Backup(drill="Mon,Thu 04:00", drill_max_age=4)
    with pytest.raises(Refused, match="drills are up to 4 days apart"):
        Backup(drill="Mon,Thu 04:00", drill_max_age=3)


def test_without_a_drill_a_reason_is_asked_for():
    with pytest.raises(Refused, match="set drill=None as well"):
        Backup(drill_off="another team does it")
    assert Backup(drill=None, drill_off="another team does it").drill is None


def test_drills_that_are_off_without_a_reason_are_a_claim_that_fails():
    def claimed(**options):
        return [check.claim for check in drill_checks(8, **options)]

    assert "A restore drill passed within the last 8 days, and the last one did" in claimed(drill=True, drill_off="")
    assert "Restore drills run" in claimed(drill=False, drill_off="")
    assert not [claim for claim in claimed(drill=False, drill_off="elsewhere") if "drill" in claim]
    (failing,) = drill_checks(8, drill=False, drill_off="")
    assert subprocess.run(["sh", "-c", failing.command], capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize(
    ("free", "memory", "lacking"),
    [(1400, 2**30, 0), (1299, 2**30, 1), (1400, 2**20, 1), (0, 0, 2)],
)
def test_a_drill_is_refused_ahead_without_room(free, memory, lacking):
    assert len(shortages(1000, free, memory)) == lacking


@pytest.mark.parametrize(
    ("result", "code"),
    [("passed", 0), ("failed", 3), ("escrow does not open", 3), ("cut short", 3), ("not tried", 5)],
)
def test_what_could_not_be_tried_ends_otherwise_than_what_failed(result, code):
    assert drill_commands.judge({"number": 1, "result": result, "why": []}) == code


@pytest.mark.parametrize(
    ("live", "not_before"),
    [
        ([["1799999730.5"]], 1_799_999_729.5),  # as a rule: a minute's row
        ([["1799990000"]], 1_799_989_999),  # the host was off until now
        ([[""]], None),  # the canary has just begun
        (None, NOW - 60 - 60 - 120),  # the live database is down
    ],
)
def test_the_copy_has_to_hold_each_row_that_had_time_to_be_archived(here, monkeypatch, live, not_before):
    def sql(_, statement, database):
        assert database == "health_v1_canary"
        assert f"to_timestamp({NOW - 60 - 120:.6f})" in statement
        if live is None:
            raise Failed("it is down")
        return live

    monkeypatch.setattr(drilling, "sql", sql)
    assert drilling._expected(here, NOW).not_before == not_before


def _restored(lost, seconds):
    return {"proof": {"lost": lost}, "seconds_to_serve": seconds}


def test_of_two_repositories_the_worse_one_counts():
    found = Drill(Asked(), NOW, restores=[_restored(10.0, 60.0), _restored(20.0, 30.0)])
    assert (found.rpo, found.rto) == (20.0, 60.0)
    found.restores.append(_restored(None, 1.0))
    assert found.rpo is None  # of one it is not known
    assert (Drill(Asked(), NOW).rpo, Drill(Asked(), NOW).rto) == (None, None)


def test_a_drill_that_failed_keeps_when_one_last_passed():
    passed = drilling.following(Noted(), Drill(Asked(), NOW, restores=[_restored(10.0, 60.0)]), NOW + 60)
    assert passed == Noted(int(NOW) + 60, int(NOW) + 60, "passed", (), 10.0, 60.0)
    failed = Drill(Asked(), NOW + 100)
    failed.end("failed", "a byte is wrong")
    assert drilling.following(passed, failed, NOW + 160) == Noted(
        int(NOW) + 160, int(NOW) + 60, "failed", ("a byte is wrong",), 10.0, 60.0
    )


def test_metrics_are_one_whole_text(tmp_path):
    noted = Noted(int(NOW), int(NOW) - 60, "failed", ("a byte is wrong",), 57.8, 2.8)
    notes.measure("drill", drilling.metrics(noted, 8 * DAY), tmp_path)
    lines = (tmp_path / "drill.prom").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        "healthv1_restore_drill_success 0",
        "healthv1_restore_drill_last_success_timestamp_seconds 1799999940",
        "healthv1_restore_drill_last_try_timestamp_seconds 1800000000",
        "healthv1_restore_drill_rpo_seconds 57.8",
        "healthv1_restore_drill_rto_seconds 2.8",
        "healthv1_restore_drill_max_age_seconds 691200",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["drill.prom"]


@pytest.fixture
def key(tmp_path):
    file = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
    return file


def test_evidence_names_the_digest_of_the_one_before(tmp_path, key):
    folder = tmp_path / "drills"
    assert evidence.head(folder) == evidence.Head(0, "0" * 64)
    evidence.write({"result": "passed"}, folder, key)
    first = (folder / "000001.json").read_bytes()
    evidence.write({"result": "failed"}, folder, key)
    second = json.loads((folder / "000002.json").read_text())
    assert (second["number"], second["previous"]) == (2, evidence.digest(first))
    assert [entry["number"] for entry in evidence.kept(folder)] == [1, 2]
    assert all(entry["signature"].startswith("-----BEGIN SSH SIGNATURE") for entry in evidence.kept(folder))
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_a_signature_without_its_evidence_is_of_a_killed_drill(tmp_path, key):
    folder = tmp_path / "drills"
    folder.mkdir()
    (folder / "000001.sig").write_text("left")
    assert evidence.write({"result": "passed"}, folder, key)["number"] == 1
    assert (folder / "000001.sig").read_text() != "left"


def test_what_a_wrong_passphrase_makes_of_the_answer_is_read():
    broken = '[{"status":{"code":99,"message":"other: CryptoError\nunable to flush"},"backup":[]}]'
    with pytest.raises(Failed, match="our passphrase does not open it"):
        repository.read_info(broken)


def test_without_a_key_there_is_no_evidence(tmp_path):
    with pytest.raises(Failed, match="cannot be signed"):
        evidence.write({"result": "passed"}, tmp_path / "drills", tmp_path / "key")
    assert not (tmp_path / "drills/000001.json").exists()


def test_a_request_is_taken_once(tmp_path):
    assert asking.taken(tmp_path) == Asked("timer", "the host's", "")
    notes.write(asking.REQUEST, {"by": "anna@laptop", "kind": asking.ESCROW, "keys": "[global]\n"}, tmp_path)
    assert asking.taken(tmp_path).is_from_escrow
    assert list(tmp_path.iterdir()) == []
    assert not asking.taken(tmp_path).is_from_escrow


def test_keys_that_come_with_a_request_are_keys_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(asking, "is_active", lambda: False)
    for line in ("archive-push-queue-max=1", "repo1-path=/tmp", "[health]", "repo1-cipher-pass=a\trepo1-path=/"):
        with pytest.raises(Failed, match="another line than pgBackRest's keys"):
            asking.ask(json.dumps({"by": "anna", "keys": f"[global]\n{line}\n"}), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_second_drill_is_refused_while_one_is_under_way(monkeypatch, tmp_path):
    monkeypatch.setattr(asking, "is_active", lambda: True)
    with pytest.raises(Failed, match="another drill is under way"):
        asking.ask('{"by": "anna"}', tmp_path)


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("/var/lib/postgresql/health-v1-drill/data", True),
        ("--pg1-path=/var/lib/postgresql/health-v1-drill/data", True),
        ("/var/lib/postgresql/health-v1-drill", True),
        ("/var/lib/postgresql/health-v1-drill-kept", False),
        ("/var/lib/postgresql/17/health", False),
    ],
)
def test_processes_of_a_copy_are_known_by_its_folder(word, ours):
    assert names(word, "/var/lib/postgresql/health-v1-drill") is ours


def test_escrows_keys_take_the_place_of_the_hosts(here):
    assert drilling.asking.with_keys(here, Asked()).pgbackrest[2].endswith("/etc/health-v1/pgbackrest.d")
    assert settings.Settings.keys == "/etc/health-v1/pgbackrest.d"
    assert Path(asking.RUN).parts[1] == "run"  # in memory


def test_drills_use_the_keys_that_read_where_there_are_any(here):
    reading = replace(here, reading_keys="/etc/health-v1/pgbackrest-read.d")
    assert asking.with_keys(reading, Asked()).keys == "/etc/health-v1/pgbackrest-read.d"
