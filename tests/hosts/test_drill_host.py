"""A host for drills restores another host's backups with a key that only reads, and its owner's cluster goes on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from healthv1.sandbox.lifecycle import Shape
from tests.hosts.world import REPOSITORY, World

DRILL, TIMER = 1, "health-v1-drill.timer"
KEYS = "/etc/health-v1/pgbackrest.d/health-v1.conf"
SETTINGS = """
from deploys.component import Secret
from deploys.backup.settings import S3, Backup

_locked = _running.locked_s3
backup = Backup(
    repository=S3(
        bucket=_locked.bucket,
        endpoint=_locked.endpoint.removeprefix("https://"),
        region=_locked.region,
        style="path",
        certificates=Path(_locked.ca_file).read_text(encoding="utf-8"),
        folder="FOLDER",
        read_credentials=Secret("backup_read_credentials"),
    ),
    reserve=16,
)
"""
ALONE = "\napi = edge = []\n"
STARTED = "cd /; runuser -u postgres -- psql -XAtqc 'select pg_postmaster_start_time()'"


@pytest.fixture
def world():
    with World("test-drill", Shape(drill=True)).for_a_while() as world:
        world.up()
        world.locked_s3()
        yield world


@pytest.mark.long(150)
def test_another_host_drills_with_a_key_that_only_reads_until_it_leaves(world, project):
    with (project / "group_data/sandbox.py").open("a") as settings:
        settings.write(SETTINGS.replace("FOLDER", f"/drills-{os.getpid()}"))
    with (project / "inventories/sandbox.py").open("a") as inventory:
        inventory.write(ALONE)
    _keep_credentials(world)
    world.shell("DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends postgresql", DRILL)
    owners = world.shell(STARTED, DRILL)

    world.must("apply", "sandbox", "--yes", cwd=project)
    _nothing_is_left_to_do_and_it_is_known_in_three_rounds(world, project)
    _, limited = world.json("plan", "sandbox", "--limit", "drill1", cwd=project)
    assert (limited["steps"], limited["faults"]) == ([], [])  # whose backups they are is noted on it
    _it_drills_and_the_database_does_only_when_asked(world, project)
    assert world.shell(STARTED, DRILL) == owners
    assert world.shell("pg_lsclusters -h | awk '{ print $1, $2, $4 }'", DRILL).strip() == "17 main online"

    with (project / "inventories/sandbox.py").open("a") as inventory:
        inventory.write("\ndrill = []\n")
    world.must("apply", "sandbox", "--yes", cwd=project)
    assert world.shell(f"systemctl is-active {TIMER}").strip() == "active"
    world.must("retire", "sandbox", "drill1", "--yes", cwd=project)
    assert world.shell(f"systemctl is-active {TIMER} health-v1-backup-watch.timer || true", DRILL).split() == (
        ["inactive", "inactive"]
    )
    assert world.shell(f"ls {KEYS} /etc/health-v1/drill_key 2>/dev/null || true", DRILL) == ""
    assert world.shell("ls /var/lib/healthv1/drills", DRILL).split() == ["000001.json", "000001.sig"]
    assert world.shell(STARTED, DRILL) == owners
    assert world.json("retire", "sandbox", "drill1", "--yes", cwd=project)[1]["changes"] == 0


def _keep_credentials(world):
    found = world.running.locked_s3
    for name, file in (("backup_credentials", found.key_file), ("backup_read_credentials", found.reader_key_file)):
        key = json.loads(Path(file).read_text())
        value = f"{key['access_key_id']}:{key['secret_access_key']}"
        world.openbao("POST", f"data/{world.name}/{name}", {"data": {"value": value}})


def _nothing_is_left_to_do_and_it_is_known_in_three_rounds(world, project):
    argv = [sys.executable, "-m", "benchmarks.counted", str(project / "count"), "plan", "sandbox", "--json"]
    environment = {**world.environment, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(argv, cwd=project, env=environment, capture_output=True, check=False)
    plan, counted = json.loads(done.stdout), json.loads((project / "count").read_text())
    assert (done.returncode, plan["steps"], plan["faults"]) == (0, [], [])
    assert max(host["rounds"] for host in counted["hosts"].values()) <= 3, counted


def _it_drills_and_the_database_does_only_when_asked(world, project):
    assert world.shell(f"systemctl is-enabled {TIMER} || true").strip() in ("disabled", "not-found")
    assert world.shell(f"systemctl is-active {TIMER}", DRILL).strip() == "active"
    reader = json.loads(Path(world.running.locked_s3.reader_key_file).read_text())["access_key_id"]
    assert f"s3-key={reader}" in world.shell(f"cat {KEYS}", DRILL)
    writer = json.loads(Path(world.running.locked_s3.key_file).read_text())
    assert world.shell(f"grep -rlF {writer['secret_access_key']} /etc /var/lib/healthv1 || true", DRILL) == ""

    code, ran = world.json("drill", "now", "sandbox", cwd=project)
    drilled = ran["hosts"]["drill1"]
    assert (code, list(ran["hosts"]), drilled["result"], drilled["verified"]) == (0, ["drill1"], "passed", True)
    (restore,) = drilled["drill"]["evidence"]["restores"]
    assert restore["proof"]["canary"] > 0
    assert {table["live"] for table in restore["proof"]["tables"]} == {None}  # nor was the owner's cluster asked
    assert world.shell("ls /var/lib/healthv1/metrics", DRILL).split() == ["drill.prom"]
    code, ran = world.json("drill", "now", "sandbox", "--limit", "host1", cwd=project)
    assert (code, ran["hosts"]["host1"]["result"]) == (0, "passed")
    assert "drill.prom" not in world.shell("ls /var/lib/healthv1/metrics").split()
