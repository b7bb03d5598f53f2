"""What may be thrown away while a cluster is made, and what never: the script itself, in a folder of its own.

`pg_createcluster` is a stand-in here, for it needs root; tests/hosts/test_brownfield.py kills the real one.
"""

import subprocess

import pytest

from deploys.cluster import Cluster
from deploys.postgresql.commands import is_made, make_cluster

CLUSTER = Cluster(17, 5432)
DATA, CONF, MARK = CLUSTER.data, CLUSTER.configuration, "/var/lib/healthv1/ours/cluster"
UNFINISHED = "/var/lib/health-v1/postgresql.unfinished"
# What it is told to make it makes, then it may be killed; it wants to see the mark first.
CREATE = """#!/bin/sh
cd {root}
[ "$(cat .{mark})" = health ] && [ "$(cat .{unfinished})" = 17/health ] || {{ echo "no mark" >&2; exit 3; }}
mkdir -p .{conf} .{data}/global; echo new > .{data}/global/pg_control; echo new > .{conf}/postgresql.conf
[ ! -e dies ] || {{ rm dies; kill -9 $PPID; }}
"""


class Host:
    def __init__(self, root):
        self.root = root
        self.write(
            "/bin/pg_createcluster", CREATE.format(root=root, mark=MARK, unfinished=UNFINISHED, conf=CONF, data=DATA)
        )
        self.write(
            "/bin/install", '#!/bin/sh\nfor it; do case $it in /dev/null) exit;; /*) mkdir -p "$it";; esac; done\n'
        )
        for name in ("pg_createcluster", "install"):
            (root / "bin" / name).chmod(0o755)
        (root / "var/lib/health-v1").mkdir(parents=True)

    def at(self, path):
        return self.root / path.lstrip("/")

    def write(self, path, text="theirs\n"):
        self.at(path).parent.mkdir(parents=True, exist_ok=True)
        self.at(path).write_text(text)

    def run(self, script):
        for path in ("/var/lib/", "/etc/postgresql"):
            script = script.replace(path, f"{self.root}{path}")
        environment = {"PATH": f"{self.root}/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        return subprocess.run(
            ["sh", "-c", f"set -eu\n{script}"], env=environment, capture_output=True, text=True, check=False
        )

    def make(self, cluster=CLUSTER):
        return self.run(make_cluster(cluster))

    def is_made(self):
        return self.run(is_made(CLUSTER)).returncode == 0

    def killed(self):
        """Kill a run that found the place vacant, once something is there."""
        self.write("/dies")
        assert self.make().returncode == -9
        assert self.at(f"{DATA}/global/pg_control").exists()
        assert not self.is_made()


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def test_a_vacant_place_is_marked_before_anything_is_made_there(host):
    assert host.make().returncode == 0
    assert host.is_made()
    assert not host.at(UNFINISHED).exists()


def test_an_empty_folder_is_vacant(host):
    host.at(DATA).mkdir(parents=True)
    assert host.make().returncode == 0


@pytest.mark.parametrize("path", [f"{DATA}/global/pg_control", f"{CONF}/postgresql.conf", f"{DATA}/lost+found/x"])
def test_what_was_there_before_is_refused_and_stays(host, path):
    host.write(path)
    for _ in range(2):
        assert "holds what is not ours" in host.make().stderr
        assert host.at(path).read_text() == "theirs\n"
        assert not host.at(MARK).exists()


def test_a_link_that_leads_nowhere_is_not_vacant(host):
    host.at(DATA).parent.mkdir(parents=True)
    host.at(DATA).symlink_to("/mnt/away")
    assert "holds what is not ours" in host.make().stderr


def test_what_a_killed_run_left_is_made_anew(host):
    host.killed()
    host.write(f"{DATA}/half")
    assert host.make().returncode == 0
    assert host.is_made()
    assert not host.at(f"{DATA}/half").exists()


@pytest.mark.parametrize("lost", [MARK, UNFINISHED])
def test_half_of_the_proof_is_none(host, lost):
    host.killed()
    host.write(f"{DATA}/half")
    host.write(lost, "main\n")
    host.make()
    assert host.at(f"{DATA}/half").exists()


def test_what_an_earlier_version_was_about_to_make_is_not_thrown_away(host):
    main = Cluster(17, 5432, "main")
    host.write(UNFINISHED, "")
    host.write(f"{main.configuration}/postgresql.conf", "data_directory = '/srv/pg/main'\n")
    host.write(f"{main.data}/old")
    for cluster in (main, CLUSTER):
        host.make(cluster)
        assert host.at(f"{main.configuration}/postgresql.conf").exists()
        assert host.at(f"{main.data}/old").exists()


def test_what_served_is_neither_thrown_away_nor_begun_anew(host):
    host.killed()
    host.write(CLUSTER.served_marker)
    host.write(f"{DATA}/row")
    assert "served before and is not whole" in host.make().stderr
    assert host.at(f"{DATA}/row").exists()


def test_what_was_started_is_not_thrown_away(host):
    host.killed()
    host.write(f"{DATA}/postmaster.opts")
    assert "was started before it was whole" in host.make().stderr
    assert host.at(f"{DATA}/postmaster.opts").exists()


def test_a_lost_configuration_is_made_anew_and_the_data_stay(host):
    assert host.make().returncode == 0
    host.write(CLUSTER.served_marker)
    host.write(f"{DATA}/row")
    host.run(f"rm -r {CONF}")
    host.write("/bin/pg_createcluster", "#!/bin/sh\nexit 3\n")
    assert host.make().returncode == 0
    assert host.is_made()
    assert host.at(f"{DATA}/row").exists()
