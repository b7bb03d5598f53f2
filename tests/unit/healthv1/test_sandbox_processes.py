"""A process is known by its record alone."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from healthv1.sandbox import processes


@pytest.fixture
def started(tmp_path: Path):
    record = tmp_path / "process"

    def start(*argv: str, **environment: str) -> Path:
        processes.start(list(argv), record=record, group=tmp_path, log=tmp_path / "log", environment=environment)
        processes.await_record(record, tmp_path / "log")
        return record

    yield start
    processes.stop(record, grace=0)


def _process_id(record: Path) -> int:
    return int(record.read_text().split()[0])


def test_a_started_process_is_alive_until_it_is_stopped(started):
    record = started("sleep", "60")
    assert processes.alive(record)
    processes.stop(record, grace=5)
    assert not processes.alive(record)
    assert not record.exists()


def test_it_enters_its_control_group_before_it_becomes_the_program(started, tmp_path):
    started("sleep", "60")
    assert (tmp_path / "cgroup.procs").read_text() == "0\n"


def test_a_process_that_ignores_the_request_to_end_is_killed(started):
    record = started("sh", "-c", "trap '' TERM; while :; do sleep 0.05; done")
    time.sleep(0.2)
    processes.stop(record, grace=0.2)
    assert not processes.alive(record)


def test_a_record_whose_id_now_belongs_to_another_process_is_dead_and_that_process_is_not_killed(started):
    record = started("sleep", "60")
    process = _process_id(record)
    before, _, after = record.read_text().rpartition(")")
    fields = after.split()
    fields[19] = str(int(fields[19]) - 1)
    forged = record.with_name("forged")
    forged.write_text(f"{before}) {' '.join(fields)}")
    assert not processes.alive(forged)
    processes.stop(forged, grace=1)
    os.kill(process, 0)
    assert processes.alive(record)


def test_a_record_that_is_missing_empty_or_cut_short_is_dead(tmp_path):
    record = tmp_path / "process"
    assert not processes.alive(record)
    for text in ("", "123", "123 (sh) S 1"):
        record.write_text(text)
        assert not processes.alive(record)


def test_its_log_is_private_and_its_environment_is_only_what_it_was_given(started, tmp_path, monkeypatch):
    monkeypatch.setenv("PLANTED", "from outside")
    started("sh", "-c", 'echo "given=$GIVEN planted=$PLANTED"; exec sleep 60', GIVEN="this")
    log = tmp_path / "log"
    end = time.monotonic() + 5
    while not log.read_text() and time.monotonic() < end:
        time.sleep(0.01)
    assert log.read_text() == "given=this planted=\n"
    assert log.stat().st_mode & 0o777 == 0o600
