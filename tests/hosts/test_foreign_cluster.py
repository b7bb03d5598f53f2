"""A cluster of the owner's beside ours, and ours whose data were moved: what does not fit into test_brownfield.py."""

import signal
import subprocess
import sys

import pytest

from tests.hosts.matrix import at_rest, unlock
from tests.hosts.pasts.postgresql import AS, BESIDE, MAIN, MAIN_LOOKS
from tests.hosts.world import World

OURS = "17/health"
# What makes a cluster is as good as done, and says whom to kill.
SLOW = """cd /usr/lib/postgresql/17/bin; mv initdb initdb.real
printf '#!/bin/sh\\n%s/initdb.real "$@"; echo "$PPID $$" > /tmp/making; exec sleep 600\\n' "$PWD" > initdb
chmod +x initdb"""
QUICK = "cd /usr/lib/postgresql/17/bin; mv initdb.real initdb; rm /tmp/making"


@pytest.fixture
def lived_in():
    with World("test-cluster").for_a_while() as world:
        world.up()
        world.shell(MAIN)
        yield world


def _killed_while_it_makes_the_cluster(world, project):
    argv = [sys.executable, "-m", "healthv1", "apply", "sandbox", "--yes"]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(argv, cwd=project, env=world.environment, **quiet) as process:
        world.shell("i=0; until [ -s /tmp/making ]; do i=$((i + 1)); [ $i -lt 1500 ]; sleep 0.2; done")
        process.send_signal(signal.SIGKILL)
    world.shell("kill -9 $(cat /tmp/making)")
    at_rest(world)
    unlock(world)


@pytest.mark.long
def test_an_apply_that_is_killed_while_it_makes_ours_leaves_the_owners_as_it_was_and_the_next_goes_on(
    lived_in, project
):
    world, settings = lived_in, project / "group_data/sandbox.py"
    before, given = world.shell(MAIN_LOOKS), settings.read_text()
    settings.write_text(given.replace("Postgresql(memory=1)", "Postgresql()"))
    faults = {fault["where"]: fault["hint"] for fault in world.json("plan", "sandbox", cwd=project)[1]["faults"]}
    assert faults.keys() == {"host1: port 5432", "host1: memory"}
    assert "such as 5433," in faults["host1: port 5432"]
    settings.write_text(f"{given}\n{BESIDE}\n")
    world.shell(SLOW)
    _killed_while_it_makes_the_cluster(world, project)
    assert world.shell("cat /var/lib/health-v1/postgresql.unfinished").strip() == OURS
    assert world.shell("ls /var/lib/postgresql/17/health/base")
    assert world.shell(MAIN_LOOKS) == before
    world.shell(QUICK)
    world.must("apply", "sandbox", "--yes", cwd=project)
    assert world.json("plan", "sandbox", cwd=project)[1]["steps"] == []
    assert world.shell(MAIN_LOOKS) == before
    assert world.shell(f"{AS} psql -p 5433 -XqAt -c 'show data_checksums'").strip() == "on"


MOVED = f"""systemctl stop postgresql@17-health; mkdir -p /srv/pg; cp -a /var/lib/postgresql/17/health /srv/pg/
sed -i "s#^data_directory.*#data_directory = '/srv/pg/health'#" /etc/postgresql/17/health/postgresql.conf
systemctl start postgresql@17-health
{AS} psql -q health_v1_prod -c 'create table public.more as select generate_series(1, 50) id'"""
ROWS = (
    f"{AS} psql -XqAt health_v1_prod -c 'select count(*) from public.more' -c 'select id from health.users order by 1'"
)


def test_data_of_ours_that_were_moved_are_neither_left_behind_nor_served_from_the_old_copy(broken):
    broken.shell(MOVED)
    before = broken.shell(ROWS)
    for command in (("plan", "sandbox"), ("apply", "sandbox", "--yes")):
        code, document = broken.json(*command)
        assert (code, document.get("steps", [])) == (1, [])
        (fault,) = document["faults"]
        assert fault["where"] == "host1: cluster 17/health"
        assert "put a link to /srv/pg/health in the place of /var/lib/postgresql/17/health" in fault["hint"]
    assert broken.shell(ROWS) == before
    broken.shell("cd /var/lib/postgresql/17; rm -r health; ln -s /srv/pg/health health")
    assert "-data_directory = '/srv/pg/health'" in broken.cli("plan", "sandbox").stdout
    broken.must("apply", "sandbox", "--yes")
    assert broken.shell(ROWS) == before
    assert broken.json("plan", "sandbox")[1]["steps"] == []
    assert broken.must("verify", "sandbox")
