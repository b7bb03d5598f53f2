"""A release takes its place when it is whole: what runs stays until then."""

import base64
import hashlib
import subprocess

import pytest

from deploys.facts.release import is_intact
from deploys.operations.release import _INSTALL
from healthv1.release import tree

ENTRY = ("healthv1-api", "there", "main")


@pytest.fixture
def archive(tmp_path):
    modules = tree.make(tmp_path / "made", "3.13", ENTRY)
    modules.mkdir(parents=True)
    (modules / "there.py").write_text("def main(): print('served')\n")
    tree.pack(tmp_path / "made", tmp_path / "release.tar.gz")
    return (tmp_path / "release.tar.gz").read_bytes()


def install(folder, archive, digest=""):
    words = ["sh", "-c", _INSTALL, "install", str(folder), digest or hashlib.sha256(archive).hexdigest()]
    return subprocess.run(words, input=base64.encodebytes(archive), capture_output=True, check=False).returncode


def intact(folder):
    return subprocess.run(["sh", "-c", is_intact(str(folder))], capture_output=True, check=False).returncode == 0


def test_what_was_unpacked_is_whole_and_begins_with_its_own_python(tmp_path, archive):
    folder = tmp_path / "releases/1.0"
    assert install(folder, archive) == 0
    assert intact(folder)
    script = (folder / "venv/bin/healthv1-api").read_text()
    assert script.startswith(f"#!{folder}/venv/bin/python -I\n")
    assert [entry.name for entry in folder.parent.iterdir()] == ["1.0"]


@pytest.mark.parametrize(("cut", "digest"), [(0, "0" * 64), (40, "")])
def test_an_archive_that_did_not_arrive_leaves_what_runs(tmp_path, archive, cut, digest):
    folder = tmp_path / "releases/1.0"
    assert install(folder, archive) == 0
    (folder / "venv/lib/python3.13/site-packages/there.py").write_text("damaged, and it runs\n")
    assert install(folder, archive[: len(archive) - cut], digest) != 0
    assert (folder / "venv/lib/python3.13/site-packages/there.py").read_text() == "damaged, and it runs\n"
    assert install(folder, archive) == 0, "what was left of the one before is in the way"
    assert intact(folder)
