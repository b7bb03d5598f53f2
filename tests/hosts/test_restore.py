"""A restore never hurts the live data, proves what it brings back, and survives being killed."""

import re
import signal
import subprocess
import sys
import time

import pytest

from tests.hosts.restores import CLUSTER, PROGRAM, Restores
from tests.hosts.world import REPOSITORY

FOLDER = f"{CLUSTER}.restored"


@pytest.fixture
def restores(broken):
    return Restores(broken)


@pytest.mark.long(90)
def test_a_moment_comes_back_beside_the_live_data_and_a_hole_in_the_wal_is_told(restores):
    world = restores.world
    _allows_more_for_a_while(restores)
    restores.plant(1, 2)
    before = restores.moment()
    restores.sql("delete from public.planted where n = 1")
    restores.plant(3)
    live = restores.identity

    _is_refused_ahead(restores)
    _brings_the_moment_back(restores, before)
    assert (restores.identity, restores.planted) == (live, [2, 3]), "the live data were touched"
    _is_kept_until_told(restores)
    _gives_a_database_and_a_table(restores)
    restores.restore("--discard", "--yes")
    assert "absent" in world.shell(f"test -e {FOLDER} || echo absent")
    _is_killed_and_goes_on(restores)
    _tells_of_a_hole(restores)
    assert (restores.identity, restores.planted) == (live, [2, 3]), "the live data were touched"
    assert world.curl().returncode == 0


def _allows_more_for_a_while(restores):
    """WAL tells of a limit that neither the backup nor the live cluster has: a standby would pause there for good."""
    restart = "systemctl restart 'postgresql@*-health.service'"
    restores.sql("alter system set max_connections = 300", "postgres")
    restores.world.shell(restart)
    restores.sql("alter system reset max_connections", "postgres")
    restores.world.shell(restart)


def _is_refused_ahead(restores):
    """What cannot be had is refused before anything is written, each with its own words."""
    for target, words in (("2099-01-01T00:00Z", "has not come"), ("2001-01-01T00:00Z", "o backup is that old")):
        document = restores.restore("--to", target, code=4)
        assert words in document["faults"][0]["what"]
    assert "has not been written" in restores.restore("--to", "FFF/0", code=4)["faults"][0]["what"]
    assert restores.noted["phase"] == ""
    assert "No restore is under way" in restores.restore("--resume", code=5)["faults"][0]["what"]


def _brings_the_moment_back(restores, before):
    document = restores.restore("--to", before)
    proven = document["proven"]
    assert document["phase"] == "kept"
    assert proven["holds"]
    assert proven["master_key_opens"]
    assert proven["timeline"] > restores.timeline
    (table,) = [entry for entry in proven["tables"] if entry["name"] == "public.planted"]
    assert (table["copy"], table["live"]) == (2, 2)  # 1 and 2, and now 2 and 3
    mode = restores.world.shell(f"stat -c '%a %U' {FOLDER}").strip()
    assert mode == "700 postgres"
    assert not restores.world.shell("pgrep -f '[h]ealth[.]restored' || true").strip(), "the copy runs on"


def _is_kept_until_told(restores):
    refused = restores.restore("--to", "latest", code=5)["faults"][0]
    assert "is kept" in refused["what"]
    assert "healthv1 restore sandbox --swap" in refused["hint"]
    asked = restores.world.cli("restore", "sandbox", "--discard")
    assert asked.returncode == 1
    assert re.search(r"\d MiB, its newest row of 20", asked.stderr), asked.stderr
    assert restores.noted["phase"] == "kept"


def _gives_a_database_and_a_table(restores):
    done = restores.restore("--database", "health_v1_prod")
    assert done["copied"]["database"] == "health_v1_prod_restored"
    assert restores.sql("select string_agg(n::text, ',' order by n) from planted", "health_v1_prod_restored") == "1,2"
    refused = restores.restore("--database", "health_v1_prod", code=1)["faults"][0]
    assert "there is a database health_v1_prod_restored already" in refused["what"]
    restores.sql("drop database health_v1_prod_restored", "postgres")
    restores.restore("--table", "public.planted")
    assert restores.sql("select count(*) from planted", "health_v1_prod_restored") == "2"
    restores.sql("drop database health_v1_prod_restored", "postgres")
    restores.sql(
        "drop table public.planted; create table public.planted (n int); insert into public.planted values (2), (3)"
    )


def _is_killed_and_goes_on(restores):
    """A killed operator means nothing; a killed program begins again by itself, and ends with what it was to do."""
    world = restores.world
    argv = [sys.executable, "-m", "healthv1", "restore", "sandbox"]
    with subprocess.Popen(argv, cwd=REPOSITORY, env=world.environment, stderr=subprocess.PIPE, text=True) as operator:
        for line in operator.stderr:
            if "restoring" in line:
                break
        operator.send_signal(signal.SIGKILL)
    world.shell("systemctl kill -s KILL --kill-whom=main health-v1-restore.service || true")
    time.sleep(1.5)
    noted = restores.wait()
    assert noted["phase"] == "kept", noted
    assert noted["proven"]["holds"], noted
    _, held = world.json("lock", "show", "sandbox")
    if "holder" in held["hosts"]["host1"]:
        world.must("lock", "release", "sandbox", "--force-holder", held["hosts"]["host1"]["holder"])
    restores.restore("--discard", "--yes")


def _tells_of_a_hole(restores):
    """WAL that is missing ends a recovery without a word of PostgreSQL's or pgBackRest's: the canary tells."""
    world = restores.world
    lost = restores.sql("select pg_walfile_name(pg_switch_wal())", "postgres")
    restores.sql("insert into beat (at) values (now()); select pg_switch_wal()", "health_v1_canary")
    pgbackrest = (
        "sudo -u postgres pgbackrest --config=/etc/health-v1/pgbackrest.conf --stanza=health"
        " --config-include-path=/etc/health-v1/pgbackrest.d --repo=1"
    )
    find = f"{pgbackrest} repo-ls --recurse archive/health | grep {lost}-"
    until = time.monotonic() + 60
    while not (name := world.shell(f"{find} || true").strip()):
        assert time.monotonic() < until
        time.sleep(0.5)
    world.shell(f"{pgbackrest} repo-rm archive/health/{name}")
    after = restores.moment()
    document = restores.restore("--to", "latest", code=3)
    assert "WAL is missing from then on" in document["proven"]["faults"][0]
    refused = restores.restore("--swap", "--yes", code=3)["faults"][0]
    assert "not proven" in refused["what"]
    restores.restore("--discard", "--yes")
    failed = restores.restore("--to", after, code=4)
    assert "recovery ended before configured recovery target was reached" in failed["faults"][0]["what"]
    assert "the last transaction in it is of" in failed["faults"][0]["what"]
    assert "stopped at recovering" in world.shell(f"{PROGRAM} claim restored || true")
    restores.restore("--abandon", "--yes")
    assert restores.noted["phase"] == ""


@pytest.mark.long(120)
def test_a_swap_survives_being_killed_and_leads_back(restores):
    world = restores.world
    restores.plant(1)
    first = restores.timeline
    restores.restore()
    restores.plant(2)

    restores.kill_at("exchanging")  # the database is down, and everything is where it was
    killed = restores.restore("--swap", "--yes", code=1)
    assert "It was killed at exchanging" in killed["faults"][0]["what"]
    restores.kill_no_more()
    restores.restore("--abandon", "--yes")
    restores.assert_whole()
    assert (restores.timeline, restores.planted, restores.noted["phase"]) == (first, [1, 2], "kept")

    restores.kill_at("starting")  # the data changed places, and nothing serves
    restores.restore("--swap", "--yes", code=1)
    restores.kill_no_more()
    restores.restore("--abandon", "--yes")
    restores.assert_whole()
    assert (restores.timeline, restores.planted, restores.noted["phase"]) == (first, [1, 2], "kept")

    restores.kill_at("archiving")  # the new data serve
    restores.restore("--swap", "--yes", code=1)
    restores.kill_no_more()
    refused = restores.restore("--abandon", "--yes", code=5)["faults"][0]
    assert "he new data serve already" in refused["what"]
    done = restores.restore("--resume")
    assert done["phase"] == "swapped"
    restores.assert_whole()
    assert (restores.timeline, restores.planted) == (first + 1, [1])
    code, plan = world.json("plan", "sandbox")
    assert (code, plan["steps"]) == (0, [])
    assert world.curl().stdout.count("maintenance") == 0

    restores.plant(3)
    asked = "systemctl show -p MainPID --value health-v1-api@8080 health-v1-api@8081"
    processes = world.shell(asked).split()
    restores.restore("--swap", "--yes")  # back: with a history of their own
    assert not {*processes} & {*world.shell(asked).split()}, "an instance goes on with the keys of the other data"
    restores.assert_whole()
    assert (restores.timeline, restores.planted) == (first + 2, [1, 2])
    restores.restore("--discard", "--yes")
    done = restores.restore()  # and from there to the latest moment again, out of what was archived of all three
    assert done["proven"]["holds"], done["proven"]
    assert done["proven"]["timeline"] == first + 3
