"""`make bench`: how long planning takes, beside stock pyinfra on the same deploys and the same host."""

import os
import statistics
import subprocess
import sys
import time

from healthv1.sandbox import Sandbox, lifecycle
from healthv1.sandbox.lifecycle import Shape

RUNS = 5
WORLD = Sandbox.named("bench")
ENVIRONMENT = {**os.environ, "HEALTHV1_SANDBOX": WORLD.name, "NO_COLOR": "1", "PYINFRA_PROGRESS": "off"}
HEALTHV1 = (sys.executable, "-m", "healthv1")
PYINFRA = (sys.executable, "-m", "pyinfra")

CONTENDERS = {
    "healthv1 --version (process start)": (*HEALTHV1, "--version"),
    "healthv1 plan": (*HEALTHV1, "plan", "sandbox"),
    "healthv1 apply, nothing to do": (*HEALTHV1, "apply", "sandbox", "--yes"),
    "healthv1 verify": (*HEALTHV1, "verify", "sandbox"),
    "pyinfra --dry (stock, the same deploys)": (*PYINFRA, "--dry", "inventories/sandbox.py", "deploys/site.py"),
}
REFERENCE = "healthv1 plan"


def _seconds(argv: tuple[str, ...]) -> float:
    started = time.monotonic()
    subprocess.run(argv, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return time.monotonic() - started


def _measure() -> dict[str, float]:
    """Return each contender's median: taken in turns, so that what else the machine does hits all alike."""
    rounds = [{name: _seconds(argv) for name, argv in CONTENDERS.items()} for _ in range(RUNS)]
    return {name: statistics.median(one[name] for one in rounds) for name in CONTENDERS}


def main() -> None:
    lifecycle.down(WORLD)
    lifecycle.up(WORLD, Shape())
    try:
        print(f"{'first apply, from a bare host':<44}{_seconds((*HEALTHV1, 'apply', 'sandbox', '--yes')):8.2f} s")
        medians = _measure()
        print(f"\n{f'on the converged host, median of {RUNS}':<44}{'':>10}{f'ratio to {REFERENCE}':>24}")
        for name, seconds in medians.items():
            print(f"{name:<44}{seconds:8.2f} s{seconds / medians[REFERENCE]:24.2f}")
    finally:
        lifecycle.down(WORLD)


if __name__ == "__main__":
    main()
