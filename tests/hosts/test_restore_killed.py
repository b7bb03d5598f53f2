"""The long suite: a restore and a swap are killed at each step, and the host's power is cut at each step of a swap.

It is cut amid a backup and a drill as well.
"""

import json
import os
import signal
import subprocess
import sys

import pytest

from healthv1.sandbox import power
from healthv1.sandbox.lifecycle import Shape
from healthv1.sandbox.snapshots import reset
from healthv1_backup.job import BESIDE, SWAP
from tests.hosts.matrix import unlock
from tests.hosts.restores import PROGRAM, Restores
from tests.hosts.test_backup import read_back, red
from tests.hosts.test_drill import COPY, SERVING
from tests.hosts.test_drill import UNIT as DRILL
from tests.hosts.world import CONVERGED, REPOSITORY, World

pytestmark = pytest.mark.skipif(not os.environ.get("HEALTHV1_LONG"), reason="make long runs it")


@pytest.fixture(scope="module", params=["trixie", "bookworm"])
def converged(request):
    with World(f"long-{request.param}", Shape(suite=request.param)).for_a_while() as world:
        world.converge()
        yield world


@pytest.fixture
def restores(converged):
    """Of a host that is put back as it was."""
    yield Restores(converged)
    reset(converged.sandbox, CONVERGED)


def test_a_restore_that_is_killed_at_any_step_goes_on_or_is_undone(restores):
    restores.plant(1)
    live = restores.identity
    for step in BESIDE:
        for way in ("--abandon", "--resume"):
            restores.kill_at(step)
            killed = restores.restore(code=1)
            assert f"killed at {step}" in killed["faults"][0]["what"]
            restores.kill_no_more()
            ended = restores.restore(way, "--yes")
            assert ended["phase"] == ("kept" if way == "--resume" else ""), (step, way)
            assert restores.identity == live
            if way == "--resume":
                assert ended["proven"]["holds"], (step, ended)
                restores.restore("--discard", "--yes")


@pytest.mark.parametrize("how", ["program", "host"])
def test_a_swap_that_is_killed_at_any_step_leaves_whole_data_and_goes_on(restores, how):
    """Also the way back, whose first step is one more: the former data get a history of their own."""
    restores.plant(1)
    restores.restore()
    for step in (*SWAP[1:], *SWAP):  # a swap, then the way back, then forth again …
        for way in ("--abandon", "--resume"):
            found = restores.noted
            if step == "promoting" and found["phase"] == "kept":
                continue
            before, rows = restores.timeline, restores.planted
            restores.kill_at(step)
            restores.restore("--swap", "--yes", code=1)
            if how == "host":
                _cut_power(restores)
            restores.kill_no_more()
            serves_new = _serves_new(restores, before) if how == "host" else step in {"archiving", "backing-up"}
            if way == "--abandon" and serves_new:
                restores.restore("--abandon", "--yes", code=5)
                restores.restore("--resume")
            else:
                restores.restore(way, "--yes")
            restores.assert_whole()
            if way == "--abandon" and not serves_new:
                assert (restores.timeline, restores.planted) == (before, rows), (step, way)
                assert restores.noted["phase"] == found["phase"]
            else:
                assert restores.timeline > before, (step, way)
                assert restores.noted["phase"] == "swapped"


def _cut_power(restores):
    world = restores.world
    host = world.running.hosts[0]
    power.cut(world.sandbox, host)
    power.restore(world.sandbox, host)
    world.shell("until systemctl is-active -q 'postgresql@*-health.service'; do sleep 0.5; done")
    restores.assert_whole()  # by itself: the old data, or the new ones


def _serves_new(restores, before):
    return restores.timeline != before


def test_an_operator_who_is_killed_at_any_step_stops_nothing(restores):
    """The host goes on by itself. Only what is the operator's to end is left: visitors are kept out."""
    restores.plant(1)
    for step in BESIDE:
        live = restores.identity
        _kill_operator_at(restores, step)
        noted = restores.wait()
        assert (noted["phase"], noted["failure"]) == ("kept", {}), (step, noted)
        assert noted["proven"]["holds"], (step, noted)
        assert restores.identity == live
        restores.restore("--discard", "--yes")
    restores.restore()
    for step in (*SWAP[1:], *SWAP):
        if step == "promoting" and restores.noted["phase"] == "kept":
            continue
        before = restores.timeline
        _kill_operator_at(restores, step, "--swap", "--yes")
        noted = restores.wait()
        assert (noted["phase"], noted["failure"]) == ("swapped", {}), (step, noted)
        assert restores.timeline > before, step
        restores.assert_whole()
        restores.restore("--resume")
        assert restores.world.curl("--fail").returncode == 0, step


def _kill_operator_at(restores, step, *words):
    argv = [sys.executable, "-m", "healthv1", "restore", "sandbox", *words]
    world = restores.world
    with subprocess.Popen(argv, cwd=REPOSITORY, env=world.environment, stderr=subprocess.PIPE, text=True) as operator:
        for line in operator.stderr:
            if line.rstrip().endswith(f"  {step}"):
                break
        operator.send_signal(signal.SIGKILL)
    assert operator.returncode == -signal.SIGKILL, f"it had ended before {step}"
    unlock(world)


def test_what_undoes_or_removes_goes_on_after_a_kill(restores):
    restores.plant(1)
    restores.restore()
    before = restores.timeline
    for step in ("exchanging", "starting"):
        restores.kill_at(step)
        restores.restore("--swap", "--yes", code=1)
        restores.kill_at("returning")
        killed = restores.restore("--abandon", "--yes", code=1)
        assert "killed at returning" in killed["faults"][0]["what"]
        restores.kill_no_more()
        assert restores.restore("--resume")["phase"] == "kept"
        restores.assert_whole()
        assert (restores.timeline, restores.planted) == (before, [1])
    restores.kill_at("removing")
    restores.restore("--discard", "--yes", code=1)
    restores.kill_no_more()
    assert restores.restore("--resume")["phase"] == ""
    assert (restores.timeline, restores.planted) == (before, [1])


FILL = """create table public.filled as select number, (select string_agg(gen_random_uuid()::text, '')
from generate_series(1, 30) where number > 0) content from generate_series(1, 200000) number"""


def test_a_power_cut_amid_a_backup_is_in_no_ones_way(restores):
    world = restores.world
    restores.plant(1)
    restores.sql(FILL)
    before = [entry["label"] for entry in _kept(world)]
    world.shell(
        "systemctl start --no-block health-v1-backup@full.service;"
        " i=0; until pgrep -f 'backup:[l]ocal'; do sleep 0.1; i=$((i+1)); [ $i -lt 300 ] || exit 1; done; sleep 1"
    )
    _cut_power(restores)
    assert [entry["label"] for entry in _kept(world)] == before, "it had ended before"
    assert restores.planted == [1]
    world.must("backup", "now", "sandbox", "--full")
    assert read_back(world) == (0, [])
    assert red(world) == set()


def _kept(world):
    return world.json("backup", "list", "sandbox")[1]["repositories"][0]["backups"]


def test_a_power_cut_amid_a_drill_leaves_nothing_of_it(restores):
    world = restores.world
    world.shell(f"systemctl start --no-block {DRILL}; {SERVING}")
    _cut_power(restores)
    world.shell("systemctl start health-v1-backup-watch.service")
    assert not world.shell(f"ls -d {COPY} 2>/dev/null || true")
    last = world.shell("cat $(ls /var/lib/healthv1/drills/*.json | tail -n 1)")
    assert json.loads(last)["result"] == "cut short"
    assert "it was killed" in world.shell(f"{PROGRAM} claim drilled || true")
    world.must("drill", "now", "sandbox")
    assert red(world) == set()
