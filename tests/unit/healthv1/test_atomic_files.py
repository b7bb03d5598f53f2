"""A file is replaced whole, redacted where a command was asked for it, and another writer keeps its own."""

import os
import time
from pathlib import Path

import pytest

from healthv1.errors import Refused
from healthv1.output.redaction import redactor
from healthv1.workspace import atomic_files
from healthv1.workspace.atomic_files import replace


def test_another_process_that_writes_just_now_keeps_its_file_and_what_a_killed_one_left_goes(tmp_path):
    path = tmp_path / "plan.json"
    young, old = (tmp_path / f".plan.json.{name}.new" for name in ("young", "old"))
    for beside in (young, old):
        beside.write_text("half")
    long_ago = time.time() - 7200
    os.utime(old, (long_ago, long_ago))
    replace(path, "whole")
    assert sorted(file.name for file in tmp_path.iterdir()) == [".plan.json.young.new", "plan.json"]
    assert path.read_text() == "whole"


def test_a_text_is_on_the_disk_before_it_takes_the_old_ones_place_and_so_is_its_name_afterwards(tmp_path, monkeypatch):
    done = []
    fsync, rename = os.fsync, Path.replace
    monkeypatch.setattr(
        os, "fsync", lambda file: (done.append(str(Path(f"/proc/self/fd/{file}").readlink())), fsync(file))
    )
    monkeypatch.setattr(Path, "replace", lambda *paths: (done.append("renamed"), rename(*paths)))
    replace(tmp_path / "plan.json", "whole")
    text, *rest = done
    assert text.startswith(f"{tmp_path}/.plan.json.")
    assert rest == ["renamed", str(tmp_path)]


def test_it_is_written_whole_redacted_and_with_its_mode(tmp_path):
    redactor.add("a secret of some length")
    atomic_files.write(tmp_path / "f", "old", 0o600)
    atomic_files.write(tmp_path / "f", "it is a secret of some length.", 0o644)
    assert (tmp_path / "f").read_text() == "it is [redacted]."
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o644
    assert [one.name for one in tmp_path.iterdir()] == ["f"]


def test_what_is_no_file_stays_what_it_was(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Refused, match="not an ordinary file"):
        atomic_files.write(tmp_path / "pipe", "text")
    assert not (tmp_path / "pipe").is_file()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(Refused, match="cannot be written: No such file"):
        atomic_files.write(tmp_path / "none" / "f", "text")
