"""A first apply that is interrupted and killed again and again still ends in a host that is as it should be."""

import random
import re
import signal
import subprocess
import sys

import pytest

from tests.hosts.driven import Driver
from tests.hosts.matrix import at_rest, unlock

KILLS = 10
AMID = 4  # changes


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


@pytest.mark.long
def test_a_first_apply_stopped_by_ctrl_c_and_killed_at_ten_moments_is_mended_by_the_next(bare, project):
    """In a copy of the team's files: what was agreed to is noted there, and other workers apply to their sandboxes."""
    for how, options in ((signal.SIGINT, ()), (signal.SIGTERM, ("--resume",))):
        code, said = _stopped_amid_changes(bare, project, how, *options)
        assert code == 130, said
        assert re.search(
            r"Interrupted: \d+ changes? made, then it stopped:\n    host1: stopped in stage \w+ after", said
        )
        assert "Go on from here: healthv1 apply sandbox --resume" in said
        assert "Traceback" not in said
        assert not bare.shell("pgrep -x apt-get || true"), "the running operation was not waited for"
    is_killed_at_moments(bare, project, random.Random(0))


def is_killed_at_moments(bare, project, chance):
    """Kill a first apply again and again, and see that the next one and its plan mend what it left."""
    killed = [_stopped_after(bare, project, chance.uniform(1.5, 9.0), signal.SIGKILL)[0] for _ in range(KILLS)]
    assert killed.count(-signal.SIGKILL) >= KILLS // 2, "it was too quick to be killed"
    at_rest(bare)
    with Driver(bare) as driver:
        driver.apply().assert_faithful()
    code, report = bare.json("verify", "sandbox")
    assert code == 0, [one for one in report["findings"] if not one["holds"]]
