"""Certificates instead of keys, and logins for one session, from a real OpenBao beside the host."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from healthv1.sandbox.reach import ssh_command
from tests.hosts import engines
from tests.hosts.world import World

SETTINGS = """
from deploys.postgresql.settings import Reading
from deploys.sshd.settings import Sshd
from healthv1.access import Leased, Signed

sshd = Sshd(certificates=Signed(by=secrets, role="health-v1"))
reading = Reading(logins=Leased(by=secrets, role="health-v1"), vault_addresses=(_running.gateway,))
"""
LEFT = """! ls -d /dev/shm/health-v1.* 2>/dev/null && ! sudo -u postgres psql -Atc \
"select rolname from pg_roles where rolname like 'v-%'" | grep ."""


@dataclass
class Opened:
    world: World
    project: Path
    first: subprocess.CompletedProcess

    def cli(self, *arguments):
        return self.world.cli(*arguments, cwd=self.project)

    def ask(self, statement, *options):
        return self.cli("db", "shell", "sandbox", "--read-only", *options, "-c", statement)

    def start(self, statement):
        shell = ["-m", "healthv1", "db", "shell", "sandbox", "--read-only", "-c", statement]
        # What a shell starts in the background ignores SIGINT, and what starts there inherits that.
        argv = ["env", "--default-signal=INT", sys.executable, *shell]
        where = {"cwd": self.project, "env": self.world.environment}
        return subprocess.Popen(argv, **where, start_new_session=True, stdin=subprocess.DEVNULL)

    def leases(self):
        found = engines.as_root(self.world, "LIST", "sys/leases/lookup/database/creds/health-v1")
        return found.get("data", {}).get("keys", [])

    def nothing_left(self):
        return engines.until(lambda: not self.leases()) and self.world.shell(LEFT) == ""


@pytest.fixture
def opened(broken, project):
    """The deployed host, with both options on, in its first run since. It is put back in the end."""
    with (project / "group_data/sandbox.py").open("a") as settings:
        settings.write(SETTINGS)
    with engines.engine(broken, "ssh"), engines.engine(broken, "database"):
        engines.let_sign(broken, "admin,root")
        first = broken.must("apply", "sandbox", "--yes", cwd=project)
        broken.must("db", "engine", "sandbox", cwd=project)
        yield Opened(broken, project, first)
        broken.openbao("DELETE", f"metadata/{broken.name}/database_engine_password")


def _the_first_run_comes_in_with_the_ordinary_key_and_the_next_with_a_certificate(opened):
    assert "so the ordinary key was used" in opened.first.stderr
    second = opened.cli("plan", "sandbox")
    assert (second.returncode, "ordinary key" in second.stderr) == (0, False)
    accepted = opened.world.shell("journalctl -t sshd -t sshd-session -o cat | grep '^Accepted' | grep -c CERT")
    assert int(accepted) >= 1


def _certificate(opened, folder, authority=None, user="admin", **wanted):
    """Return options for ssh with a new key and a certificate that `authority`, else OpenBao, signed for `user`."""
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    public = Path(f"{key}.pub")
    if authority:
        subprocess.run(["ssh-keygen", "-q", "-s", authority, "-I", "x", "-n", user, public], check=True)
    else:
        request = {"public_key": public.read_text(), "valid_principals": user, **wanted}
        made = engines.as_root(opened.world, "POST", "ssh/sign/health-v1", **request)
        (folder / "key-cert.pub").write_text(made["data"]["signed_key"])
    return ["-i", str(key)]


def _lets_in(opened, options, user="admin"):
    host = opened.world.running.hosts[0]
    argv = ssh_command(host)
    argv[argv.index("-i") : argv.index("-i") + 2] = options
    argv[-1] = f"{user}@{host.address}"
    return subprocess.run([*argv, "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def _no_other_certificate_opens_a_host(opened, tmp_path):
    folders = [tmp_path / name for name in ("good", "foreign", "ended", "root", "other")]
    for folder in folders:
        folder.mkdir()
    good, foreign, ended, root, other = folders
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "authority"], check=True)
    brief = _certificate(opened, ended, ttl="1s")
    assert _lets_in(opened, _certificate(opened, good))
    assert not _lets_in(opened, _certificate(opened, foreign, tmp_path / "authority"))
    assert not _lets_in(opened, _certificate(opened, other, user="root"))
    assert not _lets_in(opened, _certificate(opened, root, user="root"), user="root")
    time.sleep(1)
    assert not _lets_in(opened, brief)


def _a_host_that_stops_trusting_shows_in_verify(opened):
    drop_in = "/etc/ssh/sshd_config.d/00-health-v1-certificates.conf"
    opened.world.shell(f"mv {drop_in} /root/kept && systemctl reload ssh")
    try:
        _, report = opened.world.json("verify", "sandbox", cwd=opened.project)
    finally:
        opened.world.shell(f"mv /root/kept {drop_in} && systemctl reload ssh")
    broken = {one["claim"] for one in report["findings"] if not one["holds"]}
    assert broken == {
        "It was opened with a certificate for this run",
        "sshd trusts the authority's certificates for admin",
    }


def _a_reader_reads_and_changes_nothing_and_is_gone_afterwards(opened):
    read = opened.ask("select 4711 + count(*) from users; select session_user")
    assert (read.returncode, "4713" in read.stdout, " v-" in read.stdout) == (0, True, True), read.stderr
    for refused in (
        "insert into roles select * from roles",
        "set default_transaction_read_only = off; delete from roles",
        "set default_transaction_read_only = off; create table health.mine()",
        "set default_transaction_read_only = off; create temp table mine()",
        "select password_hash from users",
    ):
        done = opened.ask(refused)
        assert (done.returncode, "ERROR" in done.stderr) == (1, True), refused
    assert opened.nothing_left()
    assert opened.world.shell("grep -h 'user=v-.*AUDIT: SESSION.*READ,SELECT.*health.users' /var/log/postgresql/*.log")


def _ctrl_c_ends_the_session_and_its_password_was_nowhere(opened):
    running = opened.start("select pg_sleep(60)")
    try:
        busy = "sudo -u postgres psql -Atc \"select count(*) from pg_stat_activity where usename like 'v-%'\""
        assert engines.until(lambda: opened.world.shell(busy).strip() == "1", 40)
        password = opened.world.shell("cut -d: -f5 /dev/shm/health-v1.*/pass").strip()
        assert opened.world.shell("stat -c %a /dev/shm/health-v1.*/pass").strip() == "600"
        seen = opened.world.shell("cat /proc/*/cmdline /proc/*/environ 2>/dev/null | tr '\\0' '\\n' || true")
        assert "v-token" in seen
        assert password not in seen
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                assert password.encode() not in file.read_bytes()
        os.killpg(running.pid, signal.SIGINT)
        assert running.wait(30) == 130
    finally:
        running.kill()
    assert opened.nothing_left()
    where = "/var/log /home /root /tmp /var/tmp /run /etc /var/lib/healthv1"
    files = f"$(find {where} -type f)"
    found = opened.world.shell(f"journalctl --no-pager | cat - {files} 2>/dev/null | tr -cd '[:print:]\\n'")
    assert "AUDIT" in found
    assert password not in found
    assert not opened.world.shell("find / -xdev -name '.*history' -size +0 2>/dev/null || true")


def _the_ordinary_key_may_be_taken_away(opened):
    """The last of all: nothing but certificates opens the host afterwards."""
    host = opened.world.running.hosts[0]
    opened.world.shell("rm /home/admin/.ssh/authorized_keys")
    assert not _lets_in(opened, ["-i", host.ssh_key])
    facts = opened.cli("facts", "sandbox")
    assert (facts.returncode, "ordinary key" in facts.stderr) == (0, False)
    assert "4713" in opened.ask("select 4711 + count(*) from users").stdout


def test_what_opens_a_host_or_its_database_is_made_for_one_run(opened, tmp_path):
    """One test, for one host is changed for all of it."""
    _the_first_run_comes_in_with_the_ordinary_key_and_the_next_with_a_certificate(opened)
    _no_other_certificate_opens_a_host(opened, tmp_path)
    _a_host_that_stops_trusting_shows_in_verify(opened)
    _a_reader_reads_and_changes_nothing_and_is_gone_afterwards(opened)
    _ctrl_c_ends_the_session_and_its_password_was_nowhere(opened)
    _the_ordinary_key_may_be_taken_away(opened)
