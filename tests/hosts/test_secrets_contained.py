"""Planted secrets are found where they are meant to be, and nowhere else."""

import base64
import os
import secrets
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from healthv1.sandbox.reach import ssh_command
from tests.hosts.world import REPOSITORY, quoted

KEYS = {
    "database_password": 32,
    "database_owner_password": 32,
    "redis_password": 32,
    "admin_password": 24,
    "verification_password": 24,
    "jwt_secret": 64,
    "session_secret": 64,
    "master_key": 32,
}
MEANT_FOR_THEM = {
    "/opt/health-v1/.env",
    "/opt/health-v1/.env.owner",
    "/etc/pgbouncer/userlist.txt",
}


def _plant(world):
    """Write values of our own into the backend ahead of the first apply, past our own code."""
    planted = {key: base64.b64encode(secrets.token_bytes(size)).decode() for key, size in KEYS.items()}
    for key, value in planted.items():
        world.openbao("POST", f"data/{world.name}/{key}", {"data": {"value": value}})
    return planted


def _forms(value):
    """Raw, and as it stands in a URL."""
    return {value, quote(value, safe="")}


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


class _ArgumentWatch(threading.Thread):
    """Samples the command lines of everything on this machine (its hosts included) while it runs."""

    def __init__(self, needles):
        super().__init__(daemon=True)
        self.needles = [needle.encode() for needle in needles]
        self.hits = set()
        self.samples = 0
        self.stop = threading.Event()

    def run(self):
        while not self.stop.is_set():
            lines = list(_command_lines())
            everything = b"\n".join(lines)
            found = [needle for needle in self.needles if needle in everything]
            self.hits |= {line[:200] for line in lines if any(needle in line for needle in found)}
            self.samples += 1
            time.sleep(0.02)


def _command_lines():
    """Read quickly, with no Path for each process: the more often, the more is seen."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError), open(f"/proc/{entry.name}/cmdline", "rb", buffering=0) as file:  # noqa: PTH123
                yield file.read()


@pytest.fixture
def planted(bare):
    values = _plant(bare)
    needles = {form for value in values.values() for form in _forms(value)}
    return bare, needles


@pytest.mark.long
def test_planted_secrets_reach_only_the_files_that_are_meant_for_them(planted):
    world, needles = planted
    began = time.time()
    watch = _ArgumentWatch(needles)
    watch.start()
    outputs = [
        world.cli("--debug", "plan", "sandbox"),
        world.cli("--debug", "apply", "sandbox", "--yes"),
        world.cli("plan", "sandbox", "--json"),
        world.cli("--debug", "verify", "sandbox", "--all"),
        world.cli("verify", "sandbox", "--json"),
    ]
    # An operation that handles a secret fails, with the secret on its way.
    world.shell("rm /etc/pgbouncer/userlist.txt; mkdir -p /etc/pgbouncer/userlist.txt/in-the-way")
    outputs.append(world.cli("--debug", "apply", "sandbox", "--yes"))
    assert outputs[-1].returncode == 1, "the forced failure did not happen"
    watch.stop.set()
    watch.join()
    assert outputs[1].returncode == 0, outputs[1].stdout + outputs[1].stderr
    for done in outputs:
        for needle in needles:
            assert needle not in done.stdout + done.stderr, "a command printed a secret"
    assert watch.samples > 50
    assert watch.hits == set()
    found = _found_on_host(world, needles)
    assert found <= MEANT_FOR_THEM, found
    assert "/opt/health-v1/.env" in found, "the search finds nothing, not even where the secrets are"
    for path in found:
        assert world.eye().file(path).mode & 0o077 in {0, 0o040}, path
    assert _found_here(needles, began) == []


def test_the_search_finds_a_leak_that_is_planted(deployed, tmp_path):
    needle = secrets.token_hex(24)
    deployed.shell(f"logger planted {needle}; echo {needle} > /var/tmp/leak; sync; sleep 0.3; journalctl --sync")
    found = _found_on_host(deployed, {needle})
    assert "/var/tmp/leak" in found
    assert "JOURNAL" in found
    (tmp_path / "leak").write_text(needle)
    assert _found_here({needle}, time.time() - 60) == [str(tmp_path / "leak")]
    deployed.shell("rm -f /var/tmp/leak")


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
