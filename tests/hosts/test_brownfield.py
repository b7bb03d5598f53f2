"""A host that had a life before us: all of it is named before anything is changed, and none of it is lost."""

import signal
import subprocess
import sys

import pytest

from tests.hosts.matrix import at_rest, unlock
from tests.hosts.pasts import PASTS
from tests.hosts.pasts.postgresql import AS
from tests.hosts.world import World

OURS = "17/health"
# What makes a cluster is as good as done, and says whom to kill.
SLOW = """cd /usr/lib/postgresql/17/bin; mv initdb initdb.real
printf '#!/bin/sh\\n%s/initdb.real "$@"; echo "$PPID $$" > /tmp/making; exec sleep 600\\n' "$PWD" > initdb
chmod +x initdb"""
QUICK = "cd /usr/lib/postgresql/17/bin; mv initdb.real initdb; rm /tmp/making"


@pytest.fixture
def lived_in():
    """A host on which its owner has done all of it."""
    with World("test-past").for_a_while() as world:
        world.up()
        for past in PASTS:
            world.shell(past.script)
        yield world


def _seen(world):
    return {str(past): world.shell(past.looks) for past in PASTS}


@pytest.mark.long(260)
def test_what_a_host_held_is_named_and_outlives_a_refused_a_killed_an_agreed_and_a_second_apply(
    lived_in, project, subtests
):
    before, settings = _seen(lived_in), project / "group_data/sandbox.py"
    given = settings.read_text()
    settings.write_text(given.replace("Postgresql(memory=1)", "Postgresql()"))
    code, plan = lived_in.json("plan", "sandbox", cwd=project)
    things = {fault["where"].partition(": ")[2]: fault["hint"] for fault in plan["faults"]}
    for past in PASTS:
        with subtests.test(f"{past} is refused"):
            assert set(past.refused) <= things.keys()
    refused = {thing for past in PASTS for thing in past.refused}
    assert things.keys() == {*refused, "memory"}, "beside the owner's cluster there is less of it; nothing else"
    assert "such as 5433," in things["port 5432"]
    assert code == 1
    refused = lived_in.cli("apply", "sandbox", "--yes", cwd=project)
    assert refused.returncode == 1
    assert "Nothing was changed" in refused.stderr or not plan["hosts"]
    _is_as_it_was(before, lived_in, subtests, "a refused apply")

    adopt = tuple(thing for past in PASTS for thing in past.adopts)
    lines = [past.settings for past in PASTS] + [f'stack = stack.model_copy(update={{"adopt": {adopt}}})']
    settings.write_text(given + "\n".join(["", *lines, ""]))
    code, plan = lived_in.json("plan", "sandbox", cwd=project)
    assert (code, plan["faults"]) == (2, [])
    targets = {change["target"] for step in plan["steps"] for change in step["changes"]}
    for past in PASTS:
        with subtests.test(f"{past} is named"):
            assert set(past.named) <= targets
    _killed_while_it_makes_the_cluster(lived_in, project)
    _is_as_it_was(before, lived_in, subtests, "an apply that was killed while it made our cluster")
    lived_in.must("apply", "sandbox", "--yes", cwd=project)
    _is_as_it_was(before, lived_in, subtests, "an apply")
    assert lived_in.shell(f"{AS} psql -p 5433 -XqAt -c 'show data_checksums'").strip() == "on"
    code, again = lived_in.json("apply", "sandbox", "--yes", cwd=project)
    assert (code, again["steps"]) == (0, [])
    code, report = lived_in.json("verify", "sandbox", cwd=project)
    assert code == 0, [finding for finding in report["findings"] if not finding["holds"]]
    _is_as_it_was(before, lived_in, subtests, "a second apply, and verify")
    lived_in.must("maintenance", "on", "sandbox")
    assert lived_in.curl("-w", "%{http_code}", "-o", "/dev/null", url="/v1/patients").stdout == "503"
    _is_as_it_was(before, lived_in, subtests, "a maintenance of ours")
    lived_in.must("maintenance", "off", "sandbox")


def _killed_while_it_makes_the_cluster(world, project):
    world.shell(SLOW)
    argv = [sys.executable, "-m", "healthv1", "apply", "sandbox", "--yes"]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(argv, cwd=project, env=world.environment, **quiet) as process:
        world.shell("i=0; until [ -s /tmp/making ]; do i=$((i + 1)); [ $i -lt 1500 ]; sleep 0.2; done")
        process.send_signal(signal.SIGKILL)
    world.shell("kill -9 $(cat /tmp/making)")
    at_rest(world)
    unlock(world)
    assert world.shell("cat /var/lib/health-v1/postgresql.unfinished").strip() == OURS
    assert world.shell("ls /var/lib/postgresql/17/health/base")
    world.shell(QUICK)


def _is_as_it_was(before, world, subtests, after):
    now = _seen(world)
    for past, seen in before.items():
        with subtests.test(f"{past} after {after}"):
            assert now[past] == seen
