"""A host whose disk is full says so, keeps what it had, and is mended once there is room."""

import pytest

from healthv1.sandbox.lifecycle import Shape
from tests.hosts.world import World


@pytest.fixture
def small():
    world = World("test-small", Shape(disk_size="400M"))
    world.down()
    world.up()
    try:
        yield world
    finally:
        world.down()


def test_a_full_disk_is_explained_and_the_next_apply_goes_on(small):
    done = small.cli("apply", "sandbox", "--yes")
    printed = done.stdout + done.stderr
    assert done.returncode == 1, printed
    assert "No space left" in printed or "enough free space" in printed or "GB of free disk" in printed, printed
    assert "Traceback" not in printed
