"""What earlier versions noted in a folder of its own moves, whoever dies in it: the script itself, in a folder."""

import subprocess

import pytest

from deploys.paths import FOLDER, LINK
from deploys.preflight.folder import _IS_DONE, _MOVE
from tests.unit.command import REPOSITORY

NOTED = {
    "applied/nginx.service.restart": "/etc/nginx/nginx.conf\t1\n",
    "redis-probe": "AUTH probe 1\n",
    "logins/cursor": "s=1\n",
    "postgresql.unfinished": "17/health\n",
}
COMMANDS = ("mkdir", "cp", "ln", "mv", "rm", "sync", "chmod", "chgrp")
# The mv of Debian 12 cannot: this is what a later one does.
EXCHANGE = """import ctypes, os, sys
done = ctypes.CDLL(None, use_errno=True).renameat2(-100, os.fsencode(sys.argv[1]), -100, os.fsencode(sys.argv[2]), 2)
sys.exit(done and os.strerror(ctypes.get_errno()))"""
# Counts the commands, and kills the shell ahead of the one whose number `dies` says, or right after it.
COUNTED = """#!/bin/sh
n=$(($(cat {root}/count) + 1)); echo $n > {root}/count
[ "$n before" != "$(cat {root}/dies)" ] || {{ kill -9 $PPID; exit 1; }}
case "$*" in *--exchange*) [ ! -e {root}/old-mv ] || exit 1
  python3 -c '{EXCHANGE}' "$4" "$3";;
*) /bin/{name} "$@";; esac; code=$?
[ "$n after" != "$(cat {root}/dies)" ] || kill -9 $PPID
exit $code
"""


class Host:
    def __init__(self, root):
        self.root = root
        (root / "bin").mkdir()
        for name in COMMANDS:
            (root / "bin" / name).write_text(COUNTED.format(root=root, name=name, EXCHANGE=EXCHANGE))
            (root / "bin" / name).chmod(0o755)
        (root / "var/lib").mkdir(parents=True)
        self.folder, self.link = (root / path.lstrip("/") for path in (FOLDER, LINK))

    def earlier(self):
        """Make it what an earlier version left, with a lock in the other folder."""
        for name, text in NOTED.items():
            (self.link / name).parent.mkdir(parents=True, exist_ok=True)
            (self.link / name).write_text(text)
        self.folder.mkdir(mode=0o700)
        (self.folder / "lock").write_text("held")
        return self

    def run(self, script, dies=""):
        (self.root / "count").write_text("0")
        (self.root / "dies").write_text(dies)
        script = script.replace("/var/lib", f"{self.root}/var/lib")
        environment = {"PATH": f"{self.root}/bin:/usr/bin:/bin"}
        return subprocess.run(["sh", "-c", f"set -eu\n{script}"], env=environment, capture_output=True, check=False)

    def whole(self):
        return self.run(_IS_DONE).returncode == 0

    def told(self, name="redis-probe"):
        """What a service reads by the former name."""
        return (self.link / name).read_text()

    def has_moved(self):
        assert self.whole()
        assert self.link.readlink() == self.folder
        assert {name: self.told(name) for name in NOTED} == NOTED
        assert sorted(path.name for path in self.folder.iterdir()) == sorted(
            {"lock", *(name.partition("/")[0] for name in NOTED)}
        )
        assert (self.folder / "lock").read_text() == "held"
        assert sorted(path.name for path in self.link.parent.iterdir()) == ["health-v1", "healthv1"]
        assert self.folder.stat().st_mode & 0o777 == 0o700
        return True


def test_no_other_module_names_a_place_of_ours_below_var_lib():
    named = [
        path
        for folder in ("deploys", "healthv1", "templates")
        for path in (REPOSITORY / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc" and "/var/lib/health" in path.read_text()
    ]
    # The sandbox's own is on the operator's machine.
    assert {str(path.relative_to(REPOSITORY)) for path in named} == {
        "deploys/paths.py",
        "healthv1/sandbox/place.py",
        "templates/backup/healthv1_backup/settings.py",  # it cannot import ours, and a test compares them
    }


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def test_a_new_host_has_the_folder_and_the_link(host):
    assert not host.whole()
    assert host.run(_MOVE).returncode == 0
    assert host.whole()
    assert host.link.readlink() == host.folder


def test_what_lay_in_the_other_moves(host):
    assert not host.earlier().whole()
    assert host.run(_MOVE).returncode == 0
    assert host.has_moved()


@pytest.mark.parametrize("exchanges", [True, False], ids=["mv that exchanges", "an older mv"])
def test_who_dies_in_it_is_mended_by_the_next_and_nothing_is_lost(tmp_path, exchanges):
    seen = 0
    for when in ("before", "after"):
        for number in range(1, 20):
            (tmp_path / f"{when}{number}").mkdir()
            host = Host(tmp_path / f"{when}{number}").earlier()
            if not exchanges:
                (host.root / "old-mv").touch()
            if host.run(_MOVE, dies=f"{number} {when}").returncode == 0:
                break
            seen += 1
            if host.link.exists():  # an older mv leaves a moment without either
                assert {name: host.told(name) for name in NOTED} == NOTED
            else:
                assert not exchanges
            assert host.run(_MOVE).returncode == 0
            assert host.has_moved()
    assert seen >= 16


def test_what_a_killed_run_copied_does_not_count(host):
    """It would bring back the note that a cluster is being made, after that was done."""
    host.earlier()
    for number in range(1, 20):
        host.run(_MOVE, dies=f"{number} after")
        if (host.folder / "postgresql.unfinished").exists():
            break
    assert not host.link.is_symlink()
    (host.link / "postgresql.unfinished").unlink()
    assert host.run(_MOVE).returncode == 0
    assert not (host.link / "postgresql.unfinished").exists()


def test_nothing_of_the_one_folder_is_overwritten(host):
    host.earlier()
    (host.link / "lock").write_text("another")
    done = host.run(_MOVE)
    assert done.returncode != 0
    assert b"lock are there" in done.stderr
    assert (host.folder / "lock").read_text() == "held"
    assert host.told() == NOTED["redis-probe"]


def test_a_link_to_a_disk_of_the_owners_is_followed_and_his_folder_stays(host):
    host.earlier()
    host.link.rename(host.root / "disk")
    host.link.symlink_to(host.root / "disk")
    assert host.run(_MOVE).returncode == 0
    assert host.has_moved()
    assert (host.root / "disk/redis-probe").exists()


@pytest.mark.parametrize(("before", "after"), [(0o700, 0o700), (0o710, 0o710), (0o755, 0o700)])
def test_nginxs_workers_still_pass_through_the_folder_of_an_edge_host(tmp_path, before, after):
    host = Host(tmp_path).earlier()
    host.folder.chmod(before)
    assert host.run(_MOVE).returncode == 0
    assert host.folder.stat().st_mode & 0o777 == after
