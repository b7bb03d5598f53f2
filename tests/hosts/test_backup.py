"""Backups on a real host, into a real S3: made, read back, and every fault of a repository is named."""

import json
import secrets
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from healthv1.sandbox.addresses import allot
from healthv1.sandbox.servers import s3, server

KEYS = "/etc/health-v1/pgbackrest.d/health-v1.conf"
CANARY = "cd /; sudo -u postgres psql -XAtq -p 5432 -d health_v1_canary -c"
LIVE = f"""{CANARY} "select pg_postmaster_start_time(), timeline_id,
(select md5(string_agg(beat::text, ',' order by id)) from beat) from pg_control_checkpoint()\""""


def repository(world):
    """The folder in which the sandbox's S3 keeps the host's backups, on this machine."""
    folder = server.directory(world.sandbox, s3.NAME) / "data" / s3.BUCKET / "health-v1"
    identity = world.shell("cat /etc/machine-id")[:12]
    return folder / identity / "1"


def restart(world):
    """S3 remembers what a folder held; what was changed behind its back it sees anew."""
    server.stop(world.sandbox, s3.NAME)
    s3.start(world.sandbox, allot(world.sandbox))
    s3.ready(world.sandbox, allot(world.sandbox))


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@contextmanager
def flipped(world, path):
    flip(path)
    restart(world)
    yield
    flip(path)
    restart(world)


@contextmanager
def away(world, path):
    aside = Path(f"{path.parent.parent}/aside")
    path.rename(aside)
    restart(world)
    yield
    if path.exists():  # the host wrote there meanwhile
        for entry in path.rglob("*"):
            if entry.is_file() and not (kept := aside / entry.relative_to(path)).exists():
                kept.parent.mkdir(parents=True, exist_ok=True)
                entry.rename(kept)
        shutil.rmtree(path)
    aside.rename(path)
    restart(world)


@contextmanager
def edited(world, expression):
    world.shell(f"cp -p {KEYS} {KEYS}.kept && sed -i '{expression}' {KEYS}")
    yield
    world.shell(f"mv {KEYS}.kept {KEYS}")


def read_back(world):
    """`backup verify`: its exit code, and what it found wrong."""
    code, document = world.json("backup", "verify", "sandbox")
    return code, [fault for entry in document["repositories"] for fault in entry["faults"]]


def red(world):
    done = world.cli("verify", "sandbox", "--json")
    return {finding["claim"] for finding in json.loads(done.stdout)["findings"] if not finding["holds"]}


@pytest.fixture
def idle(mended):
    """The canary's rows make WAL, which would come into the way of who moves files of the repository."""
    mended.shell("systemctl stop health-v1-backup-watch.timer")
    mended.shell(f"{CANARY} 'select pg_switch_wal()'")
    live = mended.shell(LIVE)
    yield mended
    assert mended.shell(LIVE) == live, "a fault of the repository touched the live data"
    mended.shell("systemctl start health-v1-backup-watch.timer health-v1-backup-watch.service")


def test_the_host_is_backed_up_and_it_was_read_back(deployed):
    code, document = deployed.json("backup", "list", "sandbox")
    (kept,) = document["repositories"]
    assert code == 0
    assert kept["backups"][0]["kind"] == "full"
    assert deployed.eye().service("health-v1-backup-full.timer").is_enabled
    assert deployed.eye().service("health-v1-backup-watch.timer").is_running
    metrics = deployed.shell("cat /var/lib/healthv1/metrics/backup.prom /var/lib/healthv1/metrics/backup_watch.prom")
    assert "healthv1_backup_proven 1\n" in metrics
    assert "healthv1_backup_wal_waiting" in metrics


def test_now_makes_one_more_and_a_name_can_be_restored_to(mended):
    before = mended.json("backup", "list", "sandbox")[1]["repositories"][0]["backups"]
    code, document = mended.json("backup", "now", "sandbox")
    assert (code, document["faults"]) == (0, [])
    after = mended.json("backup", "list", "sandbox")[1]["repositories"][0]["backups"]
    assert len(after) == len(before) + 1
    assert after[-1]["kind"] == "incr"
    name = f"release-{secrets.token_hex(3)}"
    assert mended.json("backup", "mark", "sandbox", name)[1]["name"] == name
    again = mended.cli("backup", "mark", "sandbox", name)
    assert again.returncode == 1
    assert f"{name}: a restore point of that name was made before." in again.stderr
    assert mended.cli("plan", "sandbox").returncode == 0


def test_nothing_readable_is_in_the_repository(mended):
    """Of a planted patient no plain byte leaves the host; that the search finds one is tried first."""
    planted = f"planted{secrets.token_hex(8)}"
    mended.shell(f"{CANARY} 'create table {planted} (it text)'")
    mended.shell(f"{CANARY} \"insert into {planted} values ('{planted}')\"")
    assert "yes" in mended.shell(f"sync; grep -rqaF {planted} /var/lib/postgresql && echo yes")
    assert mended.cli("backup", "now", "sandbox", "--full").returncode == 0
    files = [path for path in repository(mended).rglob("*") if path.is_file()]
    assert len(files) > 3
    wanted = [planted.encode(), b"health_v1", b"postgres", b"pg_control"]
    assert [(path, word) for path in files for word in wanted if word in path.read_bytes()] == []
    mended.shell(f"{CANARY} 'drop table {planted}'")


def test_no_key_is_in_an_argument_a_log_or_the_environment_of_a_process(deployed):
    passphrase, key = deployed.kept["backup_passphrase"], deployed.kept["backup_credentials"].partition(":")[2]
    watching = (
        "i=0; while [ $i -lt 40 ]; do i=$((i+1)); cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ; sleep 0.05; done"
    )
    seen = deployed.shell(
        f"systemctl start --no-block health-v1-backup@full.service; ({watching}) 2>/dev/null"
        " | tr '\\0' '\\n' | sort -u; journalctl --no-pager -o cat; cat /var/log/postgresql/*.log;"
        " cat /var/lib/healthv1/backup/* /etc/health-v1/*.*;"
        " systemctl show health-v1-backup@full.service"
    )
    assert "pgbackrest" in seen
    for secret in (passphrase, key):
        assert secret not in seen
        assert secret in deployed.shell(f"cat {KEYS}")  # the search can find one
    deployed.shell("while systemctl is-active -q health-v1-backup@full; do sleep 0.2; done")


def test_a_flipped_bit_in_a_backup_is_named_and_verify_is_red(idle):
    bundle = next(path for path in repository(idle).glob("backup/health/*F/bundle/*") if path.stat().st_size > 10_000)
    with flipped(idle, bundle):
        code, faults = read_back(idle)
        assert code == 3
        assert "is invalid (files: 1 checksum invalid)" in faults[0]
        assert "Every backup, and all WAL from the oldest one to now, was read back without a fault" in red(idle)
        assert "healthv1_backup_proven 0\n" in idle.shell("cat /var/lib/healthv1/metrics/backup.prom")
    assert read_back(idle) == (0, [])


def test_damaged_and_missing_files_are_named(idle):
    place = repository(idle)
    wal = sorted(place.glob("archive/health/*/*/*.zst"))
    with flipped(idle, wal[-2]):
        code, faults = read_back(idle)
        assert (code, "WAL segments cannot be read back" in faults[0]) == (3, True)
    with away(idle, wal[-2]):
        code, faults = read_back(idle)
        assert (code, faults) == (3, [f"WAL is missing: {wal[-2].name[:24]}"])
    with away(idle, next(path for path in place.glob("backup/health/*F/bundle/*"))):
        code, faults = read_back(idle)
        assert (code, "missing" in faults[0]) == (3, True)
    assert read_back(idle) == (0, [])


def test_an_empty_repository_a_wrong_passphrase_and_refused_keys_are_told_apart(idle):
    with away(idle, repository(idle)):
        assert read_back(idle) == (3, ["it is empty: no backup of this database is there"])
        listed = idle.cli("backup", "list", "sandbox")
        assert listed.returncode == 3
    with edited(idle, "s/cipher-pass=/cipher-pass=x/"):
        assert read_back(idle) == (3, ["our passphrase does not open it, or its list of backups is damaged"])
    with edited(idle, "s/key-secret=/key-secret=x/"):
        assert read_back(idle) == (3, ["it refuses our keys (403 Forbidden)"])
        failed = idle.cli("backup", "now", "sandbox")
        assert failed.returncode == 1
        assert "No backup was made" in failed.stderr
    recent = "The newest backup is as young as the timers have it"
    assert recent in red(idle)
    assert idle.cli("backup", "now", "sandbox").returncode == 0
    assert recent not in red(idle)


def test_a_backup_that_is_killed_leaves_nothing_in_the_next_ones_way(mended):
    mended.shell("systemctl start --no-block health-v1-backup@full.service; sleep 0.7")
    mended.shell("systemctl kill -s KILL health-v1-backup@full.service || true")
    deadline = time.monotonic() + 60
    while "pgbackrest" in mended.shell("ps -eo args") and time.monotonic() < deadline:
        time.sleep(0.5)
    assert mended.cli("backup", "now", "sandbox", "--full").returncode == 0
    assert read_back(mended) == (0, [])
    mended.shell("systemctl reset-failed health-v1-backup@full.service || true")


def test_without_a_repository_a_plan_warns_and_verify_is_red_until_a_reason_is_given(mended, project):
    settings = project / "group_data/sandbox.py"
    text = settings.read_text()
    settings.write_text(f"{text}\n\nbackup = Backup()\n")
    planned = mended.cli("plan", "sandbox", cwd=project)
    assert planned.returncode == 2
    assert "Warning: host1: Nothing backs the database up." in planned.stdout
    _, document = mended.json("plan", "sandbox", cwd=project)
    assert [warning["what"] for warning in document["warnings"]] == ["Nothing backs the database up."]
    mended.must("apply", "sandbox", "--yes", cwd=project)
    done = mended.cli("verify", "sandbox", "--json", cwd=project)
    claims = {finding["claim"]: finding["holds"] for finding in json.loads(done.stdout)["findings"]}
    assert (done.returncode, claims["The database is backed up"]) == (1, False)
    assert "off" in mended.shell("cd /; sudo -u postgres psql -XAtqc 'show archive_mode'")

    settings.write_text(f'{text}\n\nbackup = Backup(off="the provider takes snapshots")\n')
    assert "Warning" not in mended.cli("plan", "sandbox", cwd=project).stdout
    assert mended.cli("verify", "sandbox", cwd=project).returncode == 0

    back = mended.must("apply", "sandbox", "--yes")
    assert "Backup: Begin the repository" in back.stderr
    assert mended.cli("verify", "sandbox").returncode == 0


def test_turning_it_on_waits_for_escrow_and_nothing_else_does(mended, project, tmp_path):
    """On a host whose master key was exported before: other changes are applied, and the backup waits, loudly."""
    settings = project / "group_data/sandbox.py"
    text = settings.read_text().replace("require_escrow=False", "require_escrow=True")
    settings.write_text(f'{text}\n\nbackup = Backup(off="not yet")\n')
    assert exported(mended, project, tmp_path / "first") == {"master_key"}
    mended.must("apply", "sandbox", "--yes", cwd=project)

    settings.write_text(text.replace("reserve=16", "archive_timeout=60, reserve=16"))
    planned = mended.cli("plan", "sandbox", cwd=project)
    assert "Warning: host1: Backups are not turned on yet" in planned.stdout
    assert "backup_passphrase" in planned.stdout
    mended.must("apply", "sandbox", "--yes", cwd=project)
    assert "off" in mended.shell("cd /; sudo -u postgres psql -XAtqc 'show archive_mode'")
    assert "The database is backed up" in red_in(mended, project)

    assert {"master_key", "backup_passphrase", "backup_credentials"} <= exported(mended, project, tmp_path / "second")
    mended.must("apply", "sandbox", "--yes", cwd=project)
    assert red_in(mended, project) == set()
    assert mended.cli("plan", "sandbox").returncode == 0


@pytest.fixture
def rotated(broken):
    """The deployed host, for a test that rotates: the backend has its former version again afterwards, as the host."""
    path = f"data/{broken.name}/backup_passphrase"
    before = broken.openbao("GET", path).json()["data"]["data"]
    yield broken
    broken.openbao("POST", path, {"data": before})


def test_a_rotated_passphrase_begins_a_folder_of_its_own_and_the_old_one_stays(rotated):
    before = rotated.kept["backup_passphrase"]
    old = repository(rotated)
    rotated.must("secrets", "rotate", "sandbox", "backup_passphrase", "--yes")
    assert rotated.kept["backup_passphrase"] != before
    (kept,) = rotated.json("backup", "list", "sandbox")[1]["repositories"]
    assert kept["folder"].endswith("/2")
    assert [entry["kind"] for entry in kept["backups"]] == ["full"]
    assert (old / "backup/health/backup.info").exists()
    assert [
        entry["folder"] for entry in json.loads(rotated.shell("cat /var/lib/healthv1/backup/retired.json"))["folders"]
    ]
    assert before not in rotated.shell(f"cat {KEYS}")
    assert red(rotated) == set()
    assert rotated.cli("plan", "sandbox").returncode == 0


def red_in(world, project):
    done = world.cli("verify", "sandbox", "--json", cwd=project)
    return {finding["claim"] for finding in json.loads(done.stdout)["findings"] if not finding["holds"]}


def exported(world, project, folder):
    """Export for escrow and read it back; return the names that are in it."""
    folder.mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
    public, file = (folder / "key.pub").read_text().strip(), str(folder / "escrow.age")
    world.must("secrets", "export", "sandbox", "--to", public, "--out", file, cwd=project)
    told = world.must("secrets", "read-back", "sandbox", file, "--identity", str(folder / "key"), cwd=project).stdout
    return set(told.partition("holds ")[2].partition(" as the backend")[0].split(", "))
