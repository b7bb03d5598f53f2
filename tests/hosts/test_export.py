"""A copy of the database to leave with: its recipients alone read it, any PostgreSQL restores it; no half is kept."""

import hashlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from healthv1.sandbox.reach import ssh_command
from healthv1.secrets import age
from tests.hosts.clinic import Clinic
from tests.hosts.engines import until
from tests.hosts.world import World, quoted

PIPE = "pg_dump|pg_restore|age|tee|sha256sum"
PLACES = "/tmp /var/tmp /dev/shm /run /home /root /opt /etc /srv /var/cache /var/spool /var/lib"
# By PostgreSQL itself, by our journal, and by who else works there.
WRITTEN_ANYWAY = (
    "/var/lib/postgresql/",
    "/dev/shm/PostgreSQL.",
    "/var/lib/healthv1/journal/",
    "/var/lib/redis-health-v1/",
    "/var/lib/fail2ban/",
    "/run/",
)
AS_POSTGRES = "cd / && runuser -u postgres --"
ROWS = """select string_agg(
format('select %L, count(*) from %I.%I', schemaname || '.' || tablename, schemaname, tablename), ' union all ')
from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"""


@dataclass
class Leaving:
    """Somebody who takes a copy, and has a key for it."""

    world: World
    folder: Path

    def __post_init__(self):
        self.key = self.folder / "key"
        self.key.write_text(age.generate_key())
        self.to = ("--to", age.public_key(self.key.read_text()))
        self.out = self.folder / "copies/x.age"
        self.out.parent.mkdir()

    @property
    def left(self):
        return sorted(path.name for path in self.out.parent.iterdir())

    def export(self, *more):
        return self.world.cli("export", "sandbox", *self.to, "--out", str(self.out), *more)

    @contextmanager
    def begun(self):
        """Yield an export that has begun to arrive, and is halted there with all that it started."""
        argv = ["env", "--default-signal=INT", sys.executable, "-m", "healthv1"]
        argv += ["export", "sandbox", *self.to, "--out", str(self.out)]
        with subprocess.Popen(
            argv, env=self.world.environment, start_new_session=True, stderr=subprocess.PIPE, text=True
        ) as running:
            try:
                assert until(lambda: any(path.stat().st_size for path in self.out.parent.glob(".x.age.*.new")), 30)
                os.killpg(running.pid, signal.SIGSTOP)
                yield running
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(running.pid, signal.SIGKILL)

    def copied(self):
        return subprocess.run(["age", "-d", "-i", self.key, self.out], capture_output=True, check=True).stdout

    def nothing_runs(self):
        return until(lambda: not self.world.shell(f"pgrep -lx '{PIPE}' || true"), 20)


@pytest.fixture
def leaving(deployed, tmp_path):
    return Leaving(deployed, tmp_path)


@pytest.fixture
def filled(deployed):
    """The database has more in it than all buffers between its host and here would take."""
    clinic = Clinic(deployed)
    clinic.sql("create table health.filler as select md5(i::text) from generate_series(1, 1500000) i")
    yield
    clinic.sql("drop table health.filler")


def _on_host(world, command, dump):
    argv = ssh_command(world.running.hosts[0], f"sudo sh -c {quoted(f'{AS_POSTGRES} {command}')}")
    return subprocess.run(argv, input=dump, capture_output=True, check=True).stdout.decode()


def _restored_rows(world, dump, database):
    """Restore as docs/export.md says, and return the rows of each table. Elsewhere there are none of our roles."""
    statements = _on_host(world, "pg_restore -s -O -x -f -", dump)
    assert "CREATE TABLE health.patients" in statements
    orders = [line for line in statements.splitlines() if not line.startswith("--")]
    assert not [line for line in orders if re.search(r"\bhealth_(owner|user|vault|readers?)", line)]
    _on_host(world, f"pg_restore -e -O -x -d {database}", dump)
    return _rows(world, database)


def _rows(world, database):
    ask = f"{AS_POSTGRES} psql -XqAt {database} -c"
    statement = world.shell(f"{ask} {quoted(ROWS)}").strip()
    lines = world.shell(f"{ask} {quoted(statement)}").splitlines()
    return {table: int(count) for table, count in (line.split("|") for line in lines)}


def test_a_copy_is_read_by_its_recipient_alone_and_restored_elsewhere_row_by_row(leaving):
    world, clinic = leaving.world, Clinic(leaving.world)
    name = f"canary{secrets.token_hex(8)}"
    clinic.sql(f"insert into health.organizations (slug, name) values ('{name}', '{name}')")
    try:
        world.shell("touch /root/before-export; sleep 0.01")
        with clinic.patient(given_name=name):
            with _login_shell_that_prints(world):
                done = leaving.export("--json")
            rows = _rows(world, "health_v1_prod")
        assert done.returncode == 0, done.stderr
        manifest, copy = json.loads(done.stdout), leaving.out.read_bytes()
        digest = hashlib.sha256(copy).hexdigest()
        assert (manifest["sha256"], manifest["size"], manifest["tables"]) == (digest, len(copy), rows)
        assert rows["health.patients"] >= 1
        assert (leaving.out.stat().st_mode & 0o777, leaving.left) == (0o600, ["x.age"])
        assert copy.startswith(b"age-encryption.org/v1\n")
        for plain in (name.encode(), b"PGDMP", b"health_owner"):
            assert plain not in copy
        dump = leaving.copied()
        _nothing_was_written_on_the_host(world, name)
        world.shell(f"{AS_POSTGRES} createdb -T template0 scratch")
        try:
            assert _restored_rows(world, dump, "scratch") == rows
            found = world.shell(f'{AS_POSTGRES} psql -XAtc "select name from health.organizations" scratch')
            assert name in found.split("\n")
        finally:
            world.shell(f"{AS_POSTGRES} dropdb scratch")
        assert leaving.export().returncode == 1  # it is there
        assert leaving.out.read_bytes() == copy
    finally:
        clinic.sql(f"delete from health.organizations where slug = '{name}'")
    _the_journal_says_who_took_it(leaving, digest)


@contextmanager
def _login_shell_that_prints(world):
    world.shell("cd ~admin && cp -p .bashrc .kept && echo 'printf hello; echo oops >&2' > .bashrc")
    try:
        yield
    finally:
        world.shell("cd ~admin && mv .kept .bashrc")


def _nothing_was_written_on_the_host(world, name):
    written = world.shell(f"find {PLACES} -newer /root/before-export -type f 2>/dev/null; rm /root/before-export")
    unexpected = [path for path in written.splitlines() if not path.startswith(WRITTEN_ANYWAY)]
    assert unexpected == [], unexpected
    assert world.shell(f"grep -rlaF {name} /tmp /var/tmp /dev/shm /run /home /root || true") == ""


def _the_journal_says_who_took_it(leaving, digest):
    _, shown = leaving.world.json("journal", "show", "sandbox", "--last", "50")
    [run] = [run for run in shown["runs"] if any(digest in change["target"] for change in run["changes"])]
    assert (run["command"], run["result"], run["seen"]) == ("export", "done", ["operator", "host1"])
    told = [f"{change['action']} {change['kind']} {change['target']}" for change in run["changes"]]
    assert told[0].startswith(f"export copy sha256 {digest}, ")
    assert told[1:] == [f"encrypt to recipient {leaving.to[1]}"]


def test_a_copy_that_was_cut_short_is_nowhere_and_nothing_runs_on(leaving, filled):
    with leaving.begun() as running:
        _all_that_the_pipe_has_open_is_the_pipe(leaving.world)
        leaving.world.shell("pkill -x pg_dump")
        os.killpg(running.pid, signal.SIGCONT)
        assert (running.wait(30), "The dump failed" in running.stderr.read()) == (1, True)
    assert leaving.left == []
    assert leaving.nothing_runs()
    with leaving.begun() as running:
        os.kill(running.pid, signal.SIGINT)
        os.killpg(running.pid, signal.SIGCONT)
        assert (running.wait(30), "Nothing was changed" in running.stderr.read()) == (130, True)
    assert leaving.left == []
    assert leaving.nothing_runs()
    with leaving.begun() as running:
        os.kill(running.pid, signal.SIGKILL)
        os.killpg(running.pid, signal.SIGCONT)
        assert leaving.nothing_runs()
    assert [name[:7] for name in leaving.left] == [".x.age."]  # it has no name that looks whole


def _all_that_the_pipe_has_open_is_the_pipe(world):
    opened = world.shell(f"for p in $(pgrep -x '{PIPE}'); do readlink /proc/$p/fd/*; done").splitlines()
    assert len(opened) > 10
    assert {path for path in opened if path.startswith("/")} <= {"/dev/null"}


def test_where_there_is_no_room_for_it_nothing_is_left(leaving):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "copies", leaving.out.parent], check=True)
    try:
        done = leaving.export()
        assert (done.returncode, done.stdout, leaving.left) == (1, "", [])
        assert f"{leaving.out}: It cannot be written (No space left on device). Nothing is left of it." in done.stderr
    finally:
        subprocess.run(["umount", leaving.out.parent], check=True)
    assert leaving.nothing_runs()


def test_a_host_that_cannot_encrypt_or_dump_says_so(mended, tmp_path):
    leaving = Leaving(mended, tmp_path)
    for hidden, what, hint in (
        ("/usr/bin/age", "age is not installed there", "healthv1 apply sandbox"),
        ("/var/run/postgresql/.s.PGSQL.5432.lock", "Our PostgreSQL does not run there", "healthv1 verify sandbox"),
    ):
        mended.shell(f"mv {hidden} /root/hidden")
        done = leaving.export()
        mended.shell(f"mv /root/hidden {hidden}")
        assert (done.returncode, leaving.left) == (1, [])
        assert what in done.stderr
        assert hint in done.stderr
