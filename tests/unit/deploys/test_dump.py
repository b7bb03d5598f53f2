"""The pipe that a copy of the database leaves its host in: which of its parts fails, the whole of it fails.

`pg_dump` and `pg_restore` are stand-ins that fail when they are told to; tests/hosts/test_export.py has the real ones.
"""

import subprocess

import pyrage
import pytest

from deploys.cluster import Cluster
from deploys.postgresql.dump import attended, dump

CLUSTER = Cluster(17, 5432)
# As pg_restore writes data: a tab between columns, and each line break and backslash of a value escaped.
ARCHIVE = r"""
SET standard_conforming_strings = on;
COPY health.users (id, name) FROM stdin;
1	COPY health.roles (id) FROM stdin;
2	\\.
\\.	two\nlines
\.
COPY health."We ird" (id) FROM stdin;
\.
SELECT pg_catalog.setval('health.it', 7, true);
COPY public.roles (id) FROM stdin;

\.
"""
ROWS = ["@rows 3 health.users", '@rows 0 health."We ird"', "@rows 1 public.roles"]
PROGRAMS = {"pg_dump": "cat archive; exit $(cat pg_dump.code)", "pg_restore": "cat; exit $(cat pg_restore.code)"}


class Host:
    def __init__(self, root):
        self.root = root
        self.identity = pyrage.x25519.Identity.generate()
        self.recipient = str(self.identity.to_public())
        folder = root / "usr/lib/postgresql/17/bin"
        folder.mkdir(parents=True)
        for name, text in PROGRAMS.items():
            (root / f"{name}.code").write_text("0")
            (folder / name).write_text(f"#!/bin/sh\ncd {root}; {text}\n")
            (folder / name).chmod(0o755)
        (root / "archive").write_text(ARCHIVE)
        self.data = root / CLUSTER.data.lstrip("/")
        self.data.mkdir(parents=True)
        self.lock = root / "var/run/postgresql/.s.PGSQL.5432.lock"
        self.lock.parent.mkdir(parents=True)
        self.lock.write_text(f"1\n{self.data}\n")

    def dump(self, *recipients, path="/usr/bin:/bin"):
        script = dump(CLUSTER, "health_v1_prod", recipients or (self.recipient,))
        for folder in ("/usr/lib/postgresql", "/var/run/postgresql", "/var/lib/postgresql"):
            script = script.replace(folder, f"{self.root}{folder}")
        return subprocess.run(["/bin/bash", "-c", script], env={"PATH": path}, capture_output=True, check=False)


@pytest.fixture
def here(tmp_path):
    return Host(tmp_path)


def _says(done):
    return [line for line in done.stderr.decode().splitlines() if line.startswith("@") and line != "@begin"]


def test_what_leaves_is_the_archive_encrypted_and_its_rows_were_counted(here):
    done = here.dump()
    assert done.returncode == 0, done.stderr
    digest = subprocess.run(["sha256sum"], input=done.stdout, capture_output=True, check=True).stdout.split()[0]
    assert _says(done) == [*ROWS, f"@sha256 {digest.decode()}"]
    assert b"COPY" not in done.stdout
    assert pyrage.decrypt(done.stdout, [here.identity]).decode() == ARCHIVE


def test_each_recipient_opens_it(here, tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "it's me", "-f", tmp_path / "key"], check=True)
    done = here.dump(here.recipient, (tmp_path / "key.pub").read_text().strip())
    assert done.returncode == 0, done.stderr
    for identity in (here.identity, pyrage.ssh.Identity.from_buffer((tmp_path / "key").read_bytes())):
        assert pyrage.decrypt(done.stdout, [identity]).decode() == ARCHIVE


@pytest.mark.parametrize("program", PROGRAMS)
def test_whichever_part_fails_at_its_very_end_there_is_no_digest(here, program):
    (here.root / f"{program}.code").write_text("1")
    done = here.dump()
    assert done.returncode != 0
    assert "@sha256" not in done.stderr.decode()
    assert ("@unreadable" in _says(done)) == (program == "pg_restore")


def test_what_ends_within_a_table_is_unreadable(here):
    (here.root / "archive").write_text(ARCHIVE.removesuffix("\\.\n"))
    done = here.dump()
    assert done.returncode != 0
    assert _says(done) == [*ROWS[:2], "@unreadable"]


def test_an_age_that_fails_fails_it_all(here):
    done = here.dump("age1wrong")
    assert (done.returncode != 0, done.stdout) == (True, b"")
    assert "@sha256" not in done.stderr.decode()


def test_where_age_is_missing_nothing_is_dumped(here):
    (here.root / "bin").mkdir()
    (here.root / "bin/cat").symlink_to("/bin/cat")
    done = here.dump(path=str(here.root / "bin"))
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"@begin\n@no-age\n")


def test_another_cluster_on_the_port_is_not_dumped(here):
    here.lock.write_text(f"1\n{here.root}\n")
    done = here.dump()
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"@begin\n@not-ours\n")


def _attended(script):
    process = subprocess.Popen(
        ["/bin/bash", "-s"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdin.write(attended(script).encode())
    process.stdin.flush()
    return process


@pytest.mark.parametrize("code", [0, 1, 7])
def test_it_ends_as_its_script_does_while_somebody_attends(code):
    process = _attended(f"echo said; exit {code}")
    assert process.stdout.read() == b"said\n"
    assert process.wait(20) == code
    process.stdin.close()


def test_everything_ends_with_whoever_attends_it():
    process = _attended("set -o pipefail; sum=$(sleep 600 | sleep 600 | { echo begun >&2; sleep 600; })")
    assert process.stderr.readline() == b"begun\n"
    process.stdin.close()
    assert process.stdout.read() == b""  # its other end is with every process in there
    assert process.wait(20) != 0
