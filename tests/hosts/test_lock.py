"""One deploy at a time: who comes second is told whom to wait for, and who was killed holds it for one lease."""

import getpass
import os
import re
import socket
import subprocess
import sys
import time

import pytest

LEASE = 12
RECORD = "/var/lib/healthv1/lock"
HOLDER = f"{os.environ.get('SUDO_USER') or getpass.getuser()}@{socket.gethostname()}"
GATE = "/run/healthv1-gate"
SLOW = "/run/systemd/system/health-v1-pgbouncer.service.d"


@pytest.fixture
def short(project):
    """The team's files, with a short lease."""
    path = project / "group_data/sandbox.py"
    path.write_text(f"{path.read_text()}\nfrom deploys.rollout import Rollout\nrollout = Rollout(lease={LEASE})\n")
    return project


@pytest.fixture
def slow(mended):
    """A host that is mended no sooner than the test lets it: a unit waits while GATE is there, and another is next."""
    waits = f"[Service]\\nTimeoutStartSec=300\\nExecStartPre=/bin/sh -c 'while [ -e {GATE} ]; do sleep 0.2; done'\\n"
    mended.shell(f'touch {GATE}; mkdir -p {SLOW}; printf "{waits}" > {SLOW}/slow.conf; systemctl daemon-reload')
    mended.shell("systemctl stop health-v1-pgbouncer nginx")
    yield mended
    mended.shell(
        f"rm -rf {GATE} {SLOW}/slow.conf; systemctl daemon-reload; systemctl restart health-v1-pgbouncer nginx"
    )


def _deploying(world, cwd):
    """Return an apply that holds the lock."""
    argv = [sys.executable, "-m", "healthv1", "apply", "sandbox", "--yes", "--reason", "new pooler"]
    process = subprocess.Popen(
        argv, cwd=cwd, env=world.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    while not world.shell(f"cat {RECORD} 2>/dev/null || true"):
        assert process.poll() is None, process.communicate()
        time.sleep(0.2)
    return process


def test_the_second_of_two_applies_is_refused_and_who_loses_the_lock_stops(slow, short):
    with _deploying(slow, short) as first:
        refused = slow.cli("apply", "sandbox", "--yes", cwd=short)
        said = refused.stderr
        assert (refused.returncode, "Traceback" in said) == (1, False)
        assert all(words in said for words in (f"held by {HOLDER}", "apply of sandbox", '"new pooler"', "--lock-wait"))
        assert f"A deploy is under way, and this plan is what it has not done yet: {HOLDER}" in _planned(slow, short)
        assert slow.shell(f"stat -c '%a %U' {RECORD}") == "600 root\n"
        code, shown = slow.json("lock", "show", "sandbox")
        assert (code, shown["hosts"]["host1"]["state"], shown["hosts"]["host1"]["holder"]) == (0, "held", HOLDER)
        assert _runs(slow, short)[-1]["state"] == "still running"
        assert "nobody to ask" in slow.cli("lock", "release", "sandbox").stderr
        assert slow.cli("lock", "release", "sandbox", "--force-holder", "eve@elsewhere").returncode == 1
        slow.must("lock", "release", "sandbox", "--force-holder", HOLDER)
        time.sleep(LEASE / 2)
        slow.shell(f"rm {GATE}")
        printed, _ = first.communicate(timeout=120)
    assert first.returncode == 1, printed
    assert "Somebody released our lock by force" in printed
    assert "Traceback" not in printed
    assert slow.shell("systemctl is-active health-v1-pgbouncer") == "active\n"
    assert slow.shell("systemctl is-active nginx || true") == "inactive\n"
    assert slow.json("lock", "show", "sandbox")[1]["hosts"]["host1"] == {"state": "free"}
    run = _runs(slow, short)[-1]
    assert (run["state"], run["result"], run["by"]) == ("ended", "failed", HOLDER)
    assert [change["target"] for change in run["changes"]] == ["health-v1-pgbouncer.service"]


def _runs(world, cwd):
    """Return the applies of which the operator's copy knows, the last one at the end."""
    found = world.json("journal", "show", "sandbox", cwd=cwd)[1]["runs"]
    return [run for run in found if run["command"] == "apply" and {"operator", "host1"} <= set(run["seen"])]


def _planned(world, cwd):
    planned = world.cli("plan", "sandbox", cwd=cwd)
    assert planned.returncode == 2, planned.stderr
    return planned.stderr


def test_a_killed_holder_keeps_the_lock_for_its_lease_and_who_waits_then_does_the_work(slow, short):
    with _deploying(slow, short) as first:
        while not any(run["state"] == "still running" for run in _runs(slow, short)):  # it is noted behind the lock
            assert first.poll() is None
        first.kill()
    slow.shell(f"rm {GATE}")
    done = slow.must("apply", "sandbox", "--yes", "--lock-wait", "60", cwd=short)
    assert f"Waiting for {HOLDER}" in done.stderr
    *waited, taken = [int(age) for age in re.findall(r"heard of (\d+) s ago", done.stderr)]
    assert max(waited) <= LEASE < taken
    assert slow.shell("systemctl is-active nginx") == "active\n"
    assert slow.json("plan", "sandbox", cwd=short)[1]["steps"] == []
    died, mended = _runs(slow, short)
    assert (died["state"], died["ended"], died["count"]) == ("started, never ended", "", 2)
    assert (mended["state"], mended["result"]) == ("ended", "done")
    slow.must("journal", "verify", "sandbox", cwd=short)
