"""A host for drills restores another host's backups with a key that only reads, and its owner's cluster goes on."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from healthv1.sandbox.lifecycle import Shape
from healthv1.secrets import age
from tests.hosts.world import REPOSITORY, World

DRILL, TIMER, EXPORT = 1, "health-v1-drill.timer", "health-v1-export.service"
PROGRAM = "/usr/bin/python3 -I -B /usr/local/lib/healthv1/backup"
PLACES = "/tmp /var/tmp /dev/shm /run /home /root /etc /var/cache /var/spool /var/lib/healthv1"
KEYS = "/etc/health-v1/pgbackrest.d/health-v1.conf"
SETTINGS = """
from deploys.component import Secret
from deploys.backup.settings import S3, Backup, Export

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
    export=Export(recipients=("RECIPIENT",)),
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


@pytest.mark.long(180)
def test_another_host_drills_with_a_key_that_only_reads_until_it_leaves(world, project, tmp_path):
    key = tmp_path / "key"
    key.write_text(f"{age.generate_key()}\n")
    with (project / "group_data/sandbox.py").open("a") as settings:
        folder, recipient = f"/drills-{os.getpid()}", age.public_key(key.read_text().strip())
        settings.write(SETTINGS.replace("FOLDER", folder).replace("RECIPIENT", recipient))
    with (project / "inventories/sandbox.py").open("a") as inventory:
        inventory.write(ALONE)
    _keep_credentials(world)
    world.must("secrets", "init", "sandbox", cwd=project)  # an API host would have the master key made
    world.shell("DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends postgresql", DRILL)
    owners = world.shell(STARTED, DRILL)

    world.must("apply", "sandbox", "--yes", cwd=project)
    _nothing_is_left_to_do_and_it_is_known_in_three_rounds(world, project)
    _, limited = world.json("plan", "sandbox", "--limit", "drill1", cwd=project)
    assert (limited["steps"], limited["faults"]) == ([], [])  # whose backups they are is noted on it
    _the_database_has_no_timer_and_the_other_host_no_key_that_writes(world)
    exports = Exports(world, key)
    _an_export_is_whole_and_encrypted_or_is_not_there(exports)
    _escrow_and_the_key_restore_the_backup_and_the_export(world, project, exports, str(tmp_path / "escrow.age"))
    _a_byte_of_the_export_that_somebody_changed_is_told(world, project, exports)
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
    assert world.shell("ls /var/lib/healthv1/drills", DRILL).split() == [
        f"00000{number}.{end}" for number in (1, 2) for end in ("json", "sig")
    ]
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


def _the_database_has_no_timer_and_the_other_host_no_key_that_writes(world):
    assert world.shell(f"systemctl is-enabled {TIMER} || true").strip() in ("disabled", "not-found")
    assert world.shell(f"systemctl is-active {TIMER}", DRILL).strip() == "active"
    reader = json.loads(Path(world.running.locked_s3.reader_key_file).read_text())["access_key_id"]
    assert f"s3-key={reader}" in world.shell(f"cat {KEYS}", DRILL)
    writer = json.loads(Path(world.running.locked_s3.key_file).read_text())
    assert world.shell(f"grep -rlF {writer['secret_access_key']} /etc /var/lib/healthv1 || true", DRILL) == ""


class Exports:
    """The exports in the bucket, past our own code."""

    def __init__(self, world, key):
        self.world, self.key, self.s3 = world, key, world.locked_s3("admin")
        (repository,) = json.loads(world.shell("cat /etc/health-v1/backup.json"))["repositories"]
        self.folder = f"{repository.rpartition('/')[0].strip('/')}/exports/"

    @property
    def names(self):
        found = self.s3.list_objects_v2(Bucket="locked", Prefix=self.folder).get("Contents", ())
        return sorted(entry["Key"].removeprefix(self.folder) for entry in found)

    def get(self, name):
        return self.s3.get_object(Bucket="locked", Key=f"{self.folder}{name}")["Body"].read()

    def put(self, name, body):
        self.s3.put_object(Bucket="locked", Key=f"{self.folder}{name}", Body=body)

    def make(self):
        """Make one now; return whether the unit succeeded."""
        return self.world.shell(f"systemctl start {EXPORT} && echo done || true") == "done\n"

    def opened(self, name):
        argv = ["age", "-d", "-i", self.key]
        return subprocess.run(argv, input=self.get(name), capture_output=True, check=True).stdout


def _an_export_is_whole_and_encrypted_or_is_not_there(exports):
    world, canary = exports.world, hashlib.md5(b"a row").hexdigest()
    assert len(exports.names) == 2  # the first apply made one
    rows = "create table health.rows as select md5('a row') || i as name from generate_series(1, 5000) i"
    world.shell(
        f"cd /; runuser -u postgres -- psql -qd health_v1_prod -c 'create schema if not exists health' -c \"{rows}\""
    )
    for old in ("20200101T000000Z.age", "20200101T000000Z.json", "of-somebody.age"):
        exports.put(old, b"old")
    world.shell("touch /root/before; sleep 1.1")
    assert exports.make()
    assert len(exports.names) == 5  # what is too old went, and what is not ours stayed
    assert "of-somebody.age" in exports.names
    manifest, dump = json.loads(exports.get(exports.names[3])), exports.opened(exports.names[2])
    assert manifest["tables"]["health.rows"] == 5000
    assert manifest["sha256"] == hashlib.sha256(exports.get(exports.names[2])).hexdigest()
    assert dump.startswith(b"PGDMP")
    assert world.shell(f"find {PLACES} -newer /root/before -type f -exec grep -laF {canary} {{}} + || true") == ""

    before = exports.names
    world.shell("mv /usr/bin/age /usr/bin/age.away")
    assert not exports.make()
    world.shell("mv /usr/bin/age.away /usr/bin/age; systemctl reset-failed")
    assert exports.names == before
    assert "the dump failed: @no-age" in world.shell(f"{PROGRAM} claim exported || true")
    assert "healthv1_export_success 0" in world.shell("cat /var/lib/healthv1/metrics/export.prom")
    assert exports.make()
    assert world.shell(f"{PROGRAM} claim exported").strip() == ""


def _escrow_and_the_key_restore_the_backup_and_the_export(world, project, exports, escrow):
    world.must(
        "secrets",
        "export",
        "sandbox",
        "--to",
        age.public_key(exports.key.read_text().strip()),
        "--out",
        escrow,
        cwd=project,
    )
    words = ("--escrow", escrow, "--identity", str(exports.key))
    code, ran = world.json("drill", "now", "sandbox", *words, cwd=project)
    drilled = ran["hosts"]["drill1"]
    evidence = drilled["drill"]["evidence"]
    assert (code, list(ran["hosts"]), drilled["result"], drilled["verified"]) == (0, ["drill1"], "passed", True), ran
    (restore,) = evidence["restores"]
    assert restore["proof"]["canary"] > 0
    assert {table["live"] for table in restore["proof"]["tables"]} == {None}  # nor was the owner's cluster asked
    found = evidence["export"]
    assert (found["faults"], found["restore_faults"]) == ([], [])
    assert found["rows"] >= 5000
    secret = exports.key.read_text().split("\n")[-2]
    assert world.shell(f"grep -rlaF {secret} /run /etc /var/lib/healthv1 /tmp 2>/dev/null || true", DRILL) == ""
    assert world.shell("ls /var/lib/healthv1/metrics", DRILL).split() == ["drill.prom"]


def _a_byte_of_the_export_that_somebody_changed_is_told(world, project, exports):
    newest = exports.names[-3]
    kept = exports.get(newest)
    exports.put(newest, kept[:-1] + bytes([kept[-1] ^ 1]))
    code, ran = world.json("drill", "now", "sandbox", cwd=project)
    evidence = ran["hosts"]["drill1"]["drill"]["evidence"]
    assert (code, len(evidence["why"])) == (3, 1)  # and the backup is whole
    assert f"{newest} is not what was exported" in evidence["why"][0]
    exports.put(newest, kept)
    code, ran = world.json("drill", "now", "sandbox", "--limit", "host1", cwd=project)
    assert (code, ran["hosts"]["host1"]["result"]) == (0, "passed")
    assert "drill.prom" not in world.shell("ls /var/lib/healthv1/metrics").split()
