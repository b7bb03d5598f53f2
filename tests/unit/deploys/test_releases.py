"""Which release is complete, tried on real folders."""

import subprocess

import pytest

from deploys.facts.release import COMPLETE, LISTING, is_intact


def _sh(command, cwd):
    return subprocess.run(["sh", "-c", command], cwd=cwd, check=False).returncode


@pytest.fixture
def release(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/app.py").write_text("app")
    (tmp_path / "lib/python").symlink_to("/usr/bin/python3")
    assert _sh(f'listed=$({LISTING}); echo "$listed" > {COMPLETE}', tmp_path) == 0
    return tmp_path


def test_a_release_is_whole_as_it_was_installed(release):
    assert _sh(is_intact(str(release)), "/") == 0


@pytest.mark.parametrize(
    "damage",
    [
        "rm lib/app.py",
        "echo more >> lib/app.py",
        "touch lib/app.py",
        "chmod 777 lib/app.py",
        "touch lib/another.py",
        "ln -sfn /usr/bin/python lib/python",
        f": > {COMPLETE}",
        f"rm {COMPLETE}",
    ],
)
def test_a_release_is_not_whole_once_a_file_of_it_is_gone_or_other_than_installed(release, damage):
    assert _sh(damage, release) == 0
    assert _sh(is_intact(str(release)), "/") != 0
