"""A first apply whose disk is full, that is interrupted and killed, still ends in a host that is as it should be."""

import random
import re
import signal
import subprocess
import sys

import pytest

from healthv1.sandbox.lifecycle import Shape
from tests.hosts.driven import Driver
from tests.hosts.matrix import at_rest, unlock
from tests.hosts.world import World

KILLS = 5
AMID = 4  # changes
FULL = ("No space left", "enough free space", "A tenth of the disk is free")
LEAVE = "fallocate -l $(( $(df -B1 --output=avail / | tail -n 1) - {} )) /ballast"


@pytest.fixture
def small():
    """A fresh host whose disk is soon full."""
    with World("test-small", Shape(disk_size="3G")).for_a_while() as world:
        world.up()
        yield world


def _started(world, project, *options):
    return subprocess.Popen(
        # What a shell starts in the background ignores SIGINT, and what starts there inherits that.
        ["env", "--default-signal=INT", sys.executable, "-m", "healthv1", "apply", "sandbox", "--yes", *options],
        cwd=project,
        env=world.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _stopped_after(world, project, seconds, how):
    """Return the exit code and what was said."""
    process = _started(world, project)
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(how)
        said, _ = process.communicate(timeout=60)
        if how == signal.SIGKILL:
            unlock(world)
    return process.returncode, said


def _stopped_amid_changes(world, project, how, *options):
    """Send `how` once a few changes were made, however long a plan takes; return the exit code and what was said."""
    process = _started(world, project, *options)
    said, made = [], 0
    for line in process.stdout:
        said.append(line)
        made += bool(re.match(r"\[ *[\d.]+ s\]   host1  \w", line))
        if made == AMID:
            break
    process.send_signal(how)
    rest, _ = process.communicate(timeout=300)  # the installation of a package may be what is waited for
    return process.returncode, "".join(said) + rest


@pytest.mark.long(330)
def test_a_first_apply_on_a_full_disk_stopped_by_ctrl_c_and_killed_at_moments_is_mended_by_the_next(small, project):
    """In a copy of the team's files: what was agreed to is noted there, and other workers apply to their sandboxes."""
    _a_full_disk_is_explained(small, project)
    for how, options in ((signal.SIGINT, ()), (signal.SIGTERM, ("--resume",))):
        code, said = _stopped_amid_changes(small, project, how, *options)
        assert code == 130, said
        assert re.search(
            r"Interrupted: \d+ changes? made, then it stopped:\n    host1: stopped in stage \w+ after", said
        )
        assert "Go on from here: healthv1 apply sandbox --resume" in said
        assert "Traceback" not in said
        assert not small.shell("pgrep -x apt-get || true"), "the running operation was not waited for"
    is_killed_at_moments(small, project, random.Random(0), KILLS)
    assert small.curl().returncode == 0


def _a_full_disk_is_explained(world, project):
    """By the plan, and by an apply for which there was room at first; then there is room, and the same one goes on."""
    world.shell(LEAVE.format(100_000_000))
    code, plan = world.json("plan", "sandbox", cwd=project)
    assert (code, plan["steps"]) == (1, [])
    assert "GB of free disk" in plan["faults"][0]["what"]
    world.shell(f"rm /ballast; {LEAVE.format(350_000_000)}")
    done = world.cli("apply", "sandbox", "--yes", cwd=project)
    printed = done.stdout + done.stderr
    assert done.returncode == 1, printed
    assert any(words in printed for words in FULL), printed
    assert "Traceback" not in printed
    world.shell("rm /ballast")


def is_killed_at_moments(world, project, chance, kills):
    """Kill a first apply again and again, and see that the next one and its plan mend what it left."""
    killed = [_stopped_after(world, project, chance.uniform(1.5, 9.0), signal.SIGKILL)[0] for _ in range(kills)]
    assert killed.count(-signal.SIGKILL) >= kills // 2, "it was too quick to be killed"
    at_rest(world)
    with Driver(world) as driver:
        driver.apply().assert_faithful()
    code, report = world.json("verify", "sandbox")
    assert code == 0, [one for one in report["findings"] if not one["holds"]]
