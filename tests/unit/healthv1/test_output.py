"""A file that a command was asked for is whole, redacted, and never takes the place of something else."""

import os

import pytest

from healthv1.errors import Refused
from healthv1.output.redaction import redactor
from healthv1.workspace import atomic_files


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
