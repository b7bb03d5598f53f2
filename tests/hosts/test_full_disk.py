"""A host whose disk is full says so, keeps what it had, and is mended once there is room."""

import pytest

from healthv1.sandbox.lifecycle import Shape
from tests.hosts.world import World

FULL = ("No space left", "enough free space", "A tenth of the disk is free")
LEAVE = "fallocate -l $(( $(df -B1 --output=avail / | tail -n 1) - {} )) /ballast"


@pytest.fixture
def small():
    with World("test-small", Shape(disk_size="3G")).for_a_while() as world:
        world.up()
        yield world


@pytest.mark.long
def test_a_full_disk_is_explained_and_once_there_is_room_the_same_command_goes_on(small):
    small.shell(LEAVE.format(100_000_000))
    code, plan = small.json("plan", "sandbox")
    assert (code, plan["steps"]) == (1, [])
    assert "GB of free disk" in plan["faults"][0]["what"]
    small.shell(f"rm /ballast; {LEAVE.format(350_000_000)}")
    done = small.cli("apply", "sandbox", "--yes")
    printed = done.stdout + done.stderr
    assert done.returncode == 1, printed
    assert any(words in printed for words in FULL), printed
    assert "Traceback" not in printed
    small.shell("rm /ballast")
    small.must("apply", "sandbox", "--yes")
    assert small.json("plan", "sandbox")[1]["steps"] == []
    assert small.curl().returncode == 0
