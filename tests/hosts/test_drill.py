"""A restore drill proves the newest backup, tells what is wrong with a damaged one, and leaves nothing behind."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from healthv1.sandbox.reach import on_host, ssh_command
from healthv1.sandbox.snapshots import reset
from healthv1.secrets import age, escrow
from tests.hosts.test_secrets_contained import _ProcessWatch
from tests.hosts.world import CONVERGED, REPOSITORY, quoted

PROGRAM = "/usr/bin/python3 -I -B /usr/local/lib/healthv1/backup"
UNIT = "health-v1-drill.service"
SETTINGS = """
from deploys.backup.settings import Backup, Directory
backup = Backup(repository=Directory(path="/srv/backup"), reserve=16)
"""
COPY = "/var/lib/postgresql/health-v1-drill"
LEFT = f"""ls -d {COPY} /run/health-v1-drill /run/health-v1-drill-request.json 2>/dev/null
pgrep -u postgres -af health-v1-drill; ipcs -m | grep -c postgres; ls /dev/shm; true"""
SERVING = f"""i=0; until pgrep -f 'postgres -D {COPY}/[d]ata' >/dev/null; do
  sleep 0.05; i=$((i+1)); [ $i -lt 600 ] || exit 1; done"""
ENDED = f"while systemctl show -p ActiveState --value {UNIT} | grep -q ing; do sleep 0.1; done"
BUNDLE = "$(ls -d /srv/backup/*/1/backup/health/*F/bundle/1 | tail -n 1)"
FLIP = f"""python3 - {BUNDLE} <<'END'
import sys
with open(sys.argv[1], 'r+b') as file:
    file.seek(5000)
    byte = file.read(1)[0]
    file.seek(5000)
    file.write(bytes([byte ^ 1]))
END"""
CLAIM = "A restore drill passed within the last 8 days, and the last one did"
# Where a secret of a drill could lie, besides the file that is meant for it. The needle comes on stdin, in no argument.
SEARCH = r"""export LC_ALL=C; umask 077; cat > /root/needle
grep -rlaF -f /root/needle /var/lib/healthv1 /run /var/log /tmp /var/tmp 2>/dev/null
journalctl -o cat --no-pager -a | grep -qaF -f /root/needle && echo JOURNAL
rm -f /root/needle"""


class Drilled:
    """A host whose database is backed up."""

    def __init__(self, world, project):
        self.world, self.project = world, project
        self.signers = Path(world.running.hosts[0].known_hosts).parent / "drill_signers"

    def healthv1(self, *words):
        return self.world.cli(*words, cwd=self.project)

    def now(self, *words):
        """Run a drill; return the exit code, and what came of it."""
        code, document = self.world.json("drill", "now", "sandbox", *words, cwd=self.project)
        return code, document["hosts"]["host1"]

    def show(self):
        """Return the exit code, and everything that is wrong."""
        code, document = self.world.json("drill", "show", "sandbox", "--last", "100", cwd=self.project)
        host = document["hosts"]["host1"]
        return code, [*host["faults"], *(f"{d['number']}: {fault}" for d in host["drills"] for fault in d["faults"])]

    def beat(self):
        """Have the canary write a row, and have it archived; return when it did."""
        self.world.shell(f"{PROGRAM} watch")
        at = float(self.sql("select extract(epoch from max(at)) from beat", "health_v1_canary"))
        segment = self.sql("select pg_walfile_name(pg_switch_wal())")
        done = f'[ "$({self._psql("select last_archived_wal from pg_stat_archiver")})" = {segment} ]'
        self.world.shell(f"i=0; until {done}; do sleep 0.2; i=$((i+1)); [ $i -lt 300 ] || exit 1; done")
        return at

    def sql(self, statement, database="postgres"):
        return self.world.shell(self._psql(statement, database)).strip()

    def _psql(self, statement, database="postgres"):
        return f'cd /; runuser -u postgres -- psql -XAtq -d {database} -c "{statement}"'

    def metric(self, name):
        text = self.world.shell("cat /var/lib/healthv1/metrics/drill.prom")
        return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))

    def claim(self):
        """Return what is wrong, as the claim tells; empty when it holds."""
        return on_host(self.world.running.hosts[0], f"sudo {PROGRAM} claim drilled").stdout.strip()

    def left(self):
        return self.world.shell(LEFT)


@pytest.fixture(scope="module")
def drilled(_deployed, tmp_path_factory):
    project = tmp_path_factory.mktemp("project")
    for name in ("inventories", "group_data"):
        shutil.copytree(REPOSITORY / name, project / name)
    with (project / "group_data/sandbox.py").open("a") as settings:
        settings.write(SETTINGS)
    _deployed.shell("mkdir -p /srv/backup; mountpoint -q /srv/backup || mount -t tmpfs tmpfs /srv/backup")
    _deployed.must("apply", "sandbox", "--yes", cwd=project)
    made = Drilled(_deployed, project)
    pinned = made.signers.read_text()
    made.beat()
    yield made
    made.signers.write_text(pinned)  # else the next apply of somebody else's test pins it
    reset(_deployed.sandbox, CONVERGED)


def test_a_drill_finds_what_was_written_before_the_backup_and_after_it(drilled):
    assert drilled.claim() == ""  # the first one is not due yet
    before = drilled.left()
    drilled.world.shell(f"{PROGRAM} run full")
    rows = int(drilled.sql("select count(*) from beat", "health_v1_canary"))
    later = drilled.beat()
    code, ran = drilled.now()
    evidence = ran["drill"]["evidence"]
    assert (code, ran["result"], evidence["why"]) == (0, "passed", [])
    (restore,) = evidence["restores"]
    assert restore["proof"]["canary"] >= later
    (beats,) = (table for table in restore["proof"]["tables"] if table["name"] == "public.beat")
    assert beats["copy"] > rows >= 1
    assert evidence["rpo_seconds"] >= 0
    assert evidence["rto_seconds"] > 0
    assert drilled.metric("healthv1_restore_drill_success") == 1
    assert drilled.metric("healthv1_restore_drill_max_age_seconds") == 8 * 86_400
    assert drilled.claim() == ""
    assert drilled.show() == (0, [])
    assert drilled.left() == before
    assert drilled.healthv1("plan", "sandbox").returncode == 0


@pytest.fixture
def damaged(drilled):
    """One bit of the newest full backup is wrong."""
    drilled.world.shell(FLIP)
    yield drilled
    drilled.world.shell(FLIP)
    drilled.beat()
    assert drilled.now()[0] == 0
    assert drilled.claim() == ""
    assert drilled.metric("healthv1_restore_drill_success") == 1


def test_one_flipped_byte_in_the_repository_is_told(damaged):
    code, ran = damaged.now()
    assert (code, ran["result"]) == (3, "failed")
    assert "the restore failed" in ran["drill"]["evidence"]["why"][0]
    assert damaged.metric("healthv1_restore_drill_success") == 0
    red, report = damaged.world.json("verify", "sandbox", cwd=damaged.project)
    (finding,) = (finding for finding in report["findings"] if finding["claim"] == CLAIM)
    assert (red, finding["holds"]) == (1, False)
    assert "the restore failed" in finding["evidence"]


def test_a_killed_drill_leaves_nothing_and_is_told(drilled):
    world, all_evidence = drilled.world, "ls /var/lib/healthv1/drills/*.json 2>/dev/null || true"
    before, numbered = drilled.left(), len(world.shell(all_evidence).split())
    # The program alone: systemd ends what is left of it. All of the unit, and what cleans up after it: a minute's look.
    world.shell(
        f"systemctl start --no-block {UNIT}; {SERVING}; kill -9 $(systemctl show -p MainPID --value {UNIT}); {ENDED}"
    )
    assert drilled.left() == before
    world.shell(
        f"systemctl reset-failed {UNIT}; systemctl start --no-block {UNIT}; {SERVING}; systemctl kill -s KILL {UNIT};"
        f" sleep 0.5; {ENDED}; systemctl reset-failed {UNIT}; systemctl start health-v1-backup-watch.service"
    )
    assert drilled.left() == before
    files = world.shell(all_evidence).split()[numbered:]
    assert [json.loads(world.shell(f"cat {file}"))["result"] for file in files] == ["cut short"] * 2
    assert "it was killed" in drilled.claim()


@pytest.fixture
def forged(drilled):
    """Evidence of three drills or more, which comes back as it was."""
    while not drilled.world.shell("ls /var/lib/healthv1/drills/000003.json 2>/dev/null || true"):
        drilled.now()
    pinned = drilled.signers.read_text()
    drilled.world.shell("cp -a /var/lib/healthv1/drills /root/drills")
    yield drilled
    drilled.signers.write_text(pinned)
    drilled.world.shell("cp -a /root/drills/. /var/lib/healthv1/drills/; rm -rf /root/drills")


def test_evidence_that_somebody_changed_is_not_believed(forged):
    world, folder, page = forged.world, "/var/lib/healthv1/drills", forged.project / "drills.html"
    shown = forged.healthv1("drill", "show", "sandbox", "--html", str(page))
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "signed by the pinned key" in shown.stdout
    assert "signed by the pinned key" in page.read_text()
    newest = world.shell(f"cd {folder}; ls *.json | tail -n 1").strip()
    world.shell(f"cd {folder}; rm {newest}; sed -i 's/passed/Passed/' 000001.json")
    code, faults = forged.show()
    assert code == 1
    assert set(faults) >= {
        f"drill {int(newest[:6])} is missing, which your journal remembers",
        "1: the pinned key did not sign it",
        "2: it knows another drill 1 than the one that lies there",
    }
    other = world.shell("ssh-keygen -q -t ed25519 -N '' -f /root/k; cat /root/k.pub; rm /root/k*").split()[1]
    forged.signers.write_text(forged.signers.read_text().rpartition(" ")[0] + f" {other}\n")
    code, faults = forged.show()
    assert (code, faults[0]) == (1, "the host has another key than the one that is pinned")


def test_escrow_alone_opens_the_backups_and_the_data(drilled, tmp_path):
    world = drilled.world
    key, file = tmp_path / "key", tmp_path / "escrow.age"
    key.write_text(f"{age.generate_key()}\n")
    recipient = age.public_key(key.read_text().strip())
    drilled.world.must("secrets", "export", "sandbox", "--to", recipient, "--out", str(file), cwd=drilled.project)
    passphrase = world.kept["backup_passphrase"]
    drilled.beat()
    # The host's own keys are of no use meanwhile.
    world.shell("mv /etc/health-v1/pgbackrest.d/health-v1.conf /root/kept.conf")
    with _ProcessWatch([passphrase]) as watch:
        code, ran = drilled.now("--escrow", str(file), "--identity", str(key))
    world.shell("mv /root/kept.conf /etc/health-v1/pgbackrest.d/health-v1.conf")
    assert (code, ran["result"]) == (0, "passed")
    assert ran["drill"]["evidence"]["keys"] == "out of escrow"
    assert ran["master_key"]["what"].startswith("the master key out of escrow opens data key")
    assert watch.hits == set()
    assert _found(world, passphrase) == []
    noted = [file for file in (drilled.project / ".healthv1").rglob("*") if file.is_file()]
    assert noted
    assert not [file for file in noted if passphrase in file.read_text()]
    with _ProcessWatch([passphrase]) as watch:
        planted = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(5)", passphrase])
        time.sleep(0.5)
        planted.kill()
        planted.wait()
    assert watch.hits  # it would have found one
    world.shell("echo a-planted-one > /run/planted")
    assert "/run/planted" in _found(world, "a-planted-one")
    world.shell("rm /run/planted")
    before = drilled.left()
    _with_another_passphrase(file, key, recipient)
    code, ran = drilled.now("--escrow", str(file), "--identity", str(key))
    assert (code, ran["result"]) == (5, "escrow does not open")
    assert "what escrow holds does not open it, and what the host has does" in ran["drill"]["evidence"]["why"][0]
    assert drilled.left() == before


def _with_another_passphrase(file, key, recipient):
    exported = escrow.read(file.read_bytes(), key)
    entry = exported.secrets["backup_passphrase"]
    secrets = {**exported.secrets, "backup_passphrase": type(entry).first("another-passphrase-of-the-day")}
    file.write_bytes(escrow.export(secrets, [recipient], exported.reference))


def _found(world, needle):
    argv = ssh_command(world.running.hosts[0], f"sudo sh -c {quoted(SEARCH)}")
    return subprocess.run(argv, input=f"{needle}\n", capture_output=True, text=True, check=True).stdout.split()
