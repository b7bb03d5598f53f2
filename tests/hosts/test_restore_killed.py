"""The long suite: a restore and a swap are killed at each step, and the host's power is cut at each step of a swap."""

import os

import pytest

from healthv1.sandbox import power
from healthv1_backup.job import BESIDE, SWAP
from tests.hosts.restores import Restores

pytestmark = pytest.mark.skipif(not os.environ.get("HEALTHV1_LONG"), reason="make long runs it")


def test_a_restore_that_is_killed_at_any_step_goes_on_or_is_undone(broken):
    restores = Restores(broken)
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
def test_a_swap_that_is_killed_at_any_step_leaves_whole_data_and_goes_on(broken, how):
    """Also the way back, whose first step is one more: the former data get a history of their own."""
    restores = Restores(broken)
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


def test_what_undoes_or_removes_goes_on_after_a_kill(broken):
    restores = Restores(broken)
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
