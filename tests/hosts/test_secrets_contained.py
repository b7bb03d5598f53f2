"""Planted secrets are found where they are meant to be, and nowhere else."""

import base64
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from healthv1.sandbox.reach import ssh_command
from tests.hosts.world import REPOSITORY, World, quoted

SIZES = {
    "database_password": 32,
    "database_owner_password": 32,
    "redis_password": 32,
    "admin_password": 24,
    "verification_password": 24,
    "jwt_secret": 64,
    "session_secret": 64,
    "master_key": 32,
    "plan_key": 32,
    "smtp_password": 24,
}
MEANT_FOR_THEM = {
    "/opt/health-v1/.env",
    "/opt/health-v1/.env.owner",
    "/etc/pgbouncer/health-v1-userlist.txt",
    # Copies that systemd makes of .env, in memory that is never swapped out, for the instance alone.
    "/run/credentials/health-v1-api@8080.service/env",
    "/run/credentials/health-v1-api@8081.service/env",
}
SECRET_FILES = (
    "/etc/redis/health-v1.acl",
    "/var/lib/health-v1/redis-probe",
    "/opt/health-v1/.env",
    "/opt/health-v1/.env.owner",
    "/etc/pgbouncer/health-v1-userlist.txt",
)


def _plant(world):
    """Write values of our own into the backend ahead of the first apply, past our own code."""
    planted = {key: base64.b64encode(secrets.token_bytes(size)).decode() for key, size in SIZES.items()}
    planted["smtp_password"] += "'\"\\$` &%"  # written differently by whoever quotes
    for key, value in planted.items():
        world.openbao("POST", f"data/{world.name}/{key}", {"data": {"value": value}})
    return planted


def _forms(value):
    """Raw, and as programs write it: in URLs, JSON, environment files, hexadecimal, and within a base64 text."""
    raw = value.encode()
    encoded = {base64.b64encode(bytes(before) + raw).decode()[4:-4] for before in range(3)}
    escaped = value.translate(str.maketrans({character: f"\\{character}" for character in '\\"$`'}))
    doubled = value.replace('"', '""')  # userlist.txt
    return {value, quote(value, safe=""), json.dumps(value)[1:-1], escaped, doubled, raw.hex(), *encoded}


# Prints every file of the host that holds a needle; the needles come on stdin, in no argument.
SEARCH = r"""export LC_ALL=C; umask 077; cat > /run/needles
grep -rlaF -f /run/needles / --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev --exclude=needles 2>/dev/null
journalctl -o cat --no-pager -a | grep -qaF -f /run/needles && echo JOURNAL
cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' | grep -qaF -f /run/needles && echo CMDLINE
rm -f /run/needles"""


def _found_on_host(world, needles):
    argv = ssh_command(world.running.hosts[0], f"sudo sh -c {quoted(SEARCH)}")
    done = subprocess.run(argv, input="\n".join(needles) + "\n", capture_output=True, text=True, check=True)
    return set(done.stdout.split())


class _ProcessWatch(threading.Thread):
    """Samples the command lines and environments of everything on this machine, its hosts included, while it runs.

    A process is looked at when it is new, a few times, for it may become another program; and now and then after that.
    """

    WHILE_NEW = 8  # looks
    EVERY = 100  # samples

    def __init__(self, needles):
        super().__init__(daemon=True)
        self.needles = [needle.encode() for needle in needles]
        self.hits = set()
        self.samples = 0
        self.stop = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.join()

    def run(self):
        seen = {}
        while not self.stop.is_set():
            running = [entry for entry in os.listdir("/proc") if entry.isdecimal()]  # noqa: PTH208 - quicker
            for process in running:
                if seen.get(process, 0) < self.WHILE_NEW or self.samples % self.EVERY == 0:
                    self._look(process, "cmdline")
                    self._look(process, "environ")
            seen = {process: seen.get(process, 0) + 1 for process in running}
            self.samples += 1
            time.sleep(0.01)

    def _look(self, process, what):
        try:
            with open(f"/proc/{process}/{what}", "rb") as file:  # noqa: PTH123 - quicker, many times a second
                text = file.read()
        except OSError:
            return
        if any(needle in text for needle in self.needles):
            self.hits.add((what, process))


@dataclass
class Planted:
    world: World
    project: Path
    values: dict
    printed: list = field(default_factory=list)
    """What every command said."""

    @property
    def needles(self):
        return {form for value in self.values.values() for form in _forms(value)}

    def healthv1(self, *arguments):
        done = self.world.cli(*arguments, cwd=self.project)
        self.printed.append(done.stdout + done.stderr)
        return done.returncode

    def pyinfra(self, *arguments):
        """The same deploys without our command, and so without its redactor."""
        done = subprocess.run(
            ["pyinfra", *arguments, "inventories/sandbox.py", str(REPOSITORY / "deploys/site.py")],
            cwd=self.project,
            env={**self.world.environment, "PYTHONPATH": str(REPOSITORY), "PYINFRA_PROGRESS": "off"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        self.printed.append(done.stdout + done.stderr)
        return done.returncode

    def applied(self, *, ours):
        return self.healthv1("--debug", "apply", "sandbox", "--yes") if ours else self.pyinfra("-y", "-vvv", "--diff")


@pytest.fixture
def planted(bare, project):
    settings = project / "group_data/sandbox.py"
    text = settings.read_text().replace(
        'smtp_host="localhost"', 'smtp_host="localhost", smtp_username="mail", smtp_password=Secret("smtp_password")'
    )
    settings.write_text(f"from deploys.secret import Secret\n{text}")
    return Planted(bare, project, _plant(bare))


@pytest.mark.long(500)
def test_planted_secrets_reach_only_the_files_that_are_meant_for_them(planted):
    world, began = planted.world, time.time()
    with _ProcessWatch(planted.needles) as watch:
        assert planted.healthv1("--debug", "plan", "sandbox") == 2
        assert planted.pyinfra("--dry", "--diff", "-vvv") == 0
        assert planted.healthv1("--debug", "apply", "sandbox", "--yes") == 0, planted.printed[-1]
        assert planted.healthv1("plan", "sandbox", "--json") == 0
        planted.healthv1("--debug", "verify", "sandbox", "--all")
        assert planted.healthv1("--debug", "secrets", "check", "sandbox", "--json") == 0, planted.printed[-1]
        planted.healthv1("secrets", "list", "sandbox")
        for path in SECRET_FILES:
            _fails_to_write(planted, path, ours=not path.endswith(".env"))
        _fails_to_make_a_role(planted)
        _fails_to_migrate_and_shows_all(planted)
        assert planted.healthv1("apply", "sandbox", "--yes") == 0, planted.printed[-1]
        assert planted.healthv1("plan", "sandbox") == 0
    for printed in planted.printed:
        for needle in planted.needles:
            assert needle not in printed, "a command printed a secret"
    assert watch.samples > 50
    assert watch.hits == set()
    found = _found_on_host(world, planted.needles)
    assert found == MEANT_FOR_THEM, found
    for path in found:
        assert world.eye().file(path).mode & 0o007 == 0, path
        assert path.startswith("/run/credentials/") or world.eye().file(path).mode == 0o600, path
    assert _found_here(planted.needles, began) == []


def _fails_to_write(planted, path, *, ours):
    """The operation that writes a secret file fails, with the secret on its way."""
    planted.world.shell(f"rm -rf {path}; mkdir -p {path}/in-the-way")
    assert planted.applied(ours=ours) == 1, f"the forced failure of {path} did not happen"
    planted.world.shell(f"rm -rf {path}")


def _fails_to_make_a_role(planted):
    """What sets a password fails, and psql repeats everything that it was told."""
    with _replaced(
        planted.world,
        "/usr/lib/postgresql/17/bin/psql",
        'case " $* " in *" -f - "*) cat >&2; exit 1;; esac; exec "$0.real" "$@"',
    ):
        planted.world.shell("cd / && runuser -u postgres -- psql -qc \"alter role health_owner password 'x'\"")
        for ours in (True, False):
            assert planted.applied(ours=ours) == 1, "the forced failure of a role did not happen"


def _fails_to_migrate_and_shows_all(planted):
    """A program that shows its secrets when it fails: the redactor is all that is left.

    Python itself is replaced: a program of the release would be noticed, and installed again.
    """
    with _replaced(
        planted.world,
        "/usr/bin/python3.13",
        'case " $* " in *" seed "*|*" migrate "*) cat "$CREDENTIALS_DIRECTORY"/* >&2; exit 3;; esac\n'
        'exec -a "$0" /usr/bin/python3.13.real "$@"',
    ):
        assert planted.applied(ours=True) == 1, "the forced failure of a migration did not happen"
        assert "[redacted]" in planted.printed[-1]


@contextmanager
def _replaced(world, program, script):
    text = base64.b64encode(f"#!/bin/bash\n{script}\n".encode()).decode()
    world.shell(f"mv {program} {program}.real; echo {text} | base64 -d > {program}; chmod 755 {program}")
    try:
        yield
    finally:
        world.shell(f"mv {program}.real {program}")


def test_the_search_finds_a_leak_that_is_planted(deployed, tmp_path):
    needle = secrets.token_hex(24)
    deployed.shell(f"logger planted {needle}; echo {needle} > /var/tmp/leak; sync; sleep 0.3; journalctl --sync")
    found = _found_on_host(deployed, {needle})
    assert "/var/tmp/leak" in found
    assert "JOURNAL" in found
    (tmp_path / "leak").write_text(needle)
    assert _found_here({needle}, time.time() - 60) == [str(tmp_path / "leak")]
    deployed.shell("rm -f /var/tmp/leak")


@pytest.mark.parametrize("what", ["cmdline", "environ"])
def test_the_watch_finds_a_leak_that_is_planted(what):
    needle = secrets.token_hex(24)
    argv = [sys.executable, "-c", "import time; time.sleep(1)", *([needle] if what == "cmdline" else [])]
    with _ProcessWatch({needle}) as watch:
        subprocess.run(argv, env={"LEAK": needle} if what == "environ" else {}, check=True)
    assert {kind for kind, _ in watch.hits} == {what}


@pytest.mark.parametrize(
    "written",
    [
        str,
        lambda value: f"postgresql://u:{quote(value, safe='')}@h/d",
        json.dumps,
        lambda value: base64.b64encode(f"user:{value}".encode()).decode(),
        lambda value: f"V={value.encode().hex()}",
    ],
)
def test_every_form_of_a_leak_is_found(written):
    value = base64.b64encode(secrets.token_bytes(24)).decode() + "'\"\\$` &%"
    assert any(form in written(value) for form in _forms(value))


def _found_here(needles, since):
    """Search what was written meanwhile in this machine's temporary folders and the work tree."""
    return [
        str(path)
        for top in (Path(tempfile.gettempdir()), REPOSITORY)
        for path in _files(top)
        if not {".venv", ".git"} & set(path.parts) and _written(path, since) and _holds(path, needles)
    ]


def _files(top):
    """Whatever is below: other tests' folders may go meanwhile."""
    return (Path(directory, name) for directory, _, names in os.walk(top) for name in names)


def _written(path, since):
    try:
        return path.is_file() and path.stat().st_mtime >= since
    except OSError:  # gone meanwhile
        return False


def _holds(path, needles):
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return any(needle.encode() in content for needle in needles)
