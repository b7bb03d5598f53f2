"""A first apply that is killed again and again still ends in a host that is as it should be."""

import random
import signal
import subprocess
import sys
import time

from tests.hosts.world import REPOSITORY

KILLS = 10


def _killed_after(world, seconds):
    process = subprocess.Popen(
        [sys.executable, "-m", "healthv1", "apply", "sandbox", "--yes"],
        cwd=REPOSITORY,
        env=world.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    return process.wait()


def test_a_first_apply_killed_at_ten_random_moments_is_mended_by_the_next(bare):
    seed = time.time_ns()
    chance = random.Random(seed)
    killed = [_killed_after(bare, chance.uniform(1.5, 9.0)) for _ in range(KILLS)]
    assert killed.count(-signal.SIGKILL) >= KILLS // 2, "it was too quick to be killed"
    bare.must("apply", "sandbox", "--yes")
    assert bare.json("plan", "sandbox")[1]["steps"] == [], f"seed {seed}"
    code, report = bare.json("verify", "sandbox")
    assert code == 0, (seed, [one for one in report["findings"] if not one["holds"]])


def test_ctrl_c_is_one_calm_sentence_and_the_next_apply_goes_on(bare):
    process = subprocess.Popen(
        [sys.executable, "-m", "healthv1", "apply", "sandbox", "--yes"],
        cwd=REPOSITORY,
        env=bare.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    time.sleep(6)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Interrupted" in said
    assert "Traceback" not in said
    bare.must("apply", "sandbox", "--yes")
    assert bare.json("plan", "sandbox")[1]["steps"] == []
