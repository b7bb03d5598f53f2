"""Plans and applies of one process, which is started once: what they said, as data."""

import json
import subprocess
import sys
from dataclasses import dataclass

from tests.hosts.world import REPOSITORY


@dataclass(frozen=True)
class Outcome:
    """Each list holds [host, component, operation, change as a dict]."""

    planned: list
    made: list
    left: list
    """What a plan says after the apply."""
    faults: list

    def assert_faithful(self):
        """Assert that the plan was carried out, all of it and nothing else, and that nothing is left to do."""
        assert not self.faults, "\n".join(fault["what"] for fault in self.faults)
        # Each host's in their order: which host comes first in a stage is the rollout's.
        assert _by_host(self.made) == _by_host(self.planned), self._compared()
        assert not self.left, f"left after the apply:\n{_told(self.left)}"

    def assert_stopped_ahead_of(self, *reasons):
        """Assert that it did nothing but what the plan named, and stopped for one of the reasons."""
        said = "\n".join(fault["what"] for fault in self.faults)
        assert all(any(reason in fault["what"] for reason in reasons) for fault in self.faults), said
        assert all(one in self.planned for one in self.made), self._compared()

    def _compared(self):
        unmade = [one for one in self.planned if one not in self.made]
        unplanned = [one for one in self.made if one not in self.planned]
        return f"planned, not made:\n{_told(unmade)}\nmade, not planned:\n{_told(unplanned)}"


def _by_host(changes):
    return sorted(changes, key=lambda change: change[0])


def _told(changes):
    return "\n".join(f"  {json.dumps(one, ensure_ascii=False)}" for one in changes) or "  nothing"


class Driver:
    """`fidelity_driver.py` at work on one world."""

    def __init__(self, world):
        self._world = world
        self._process = None

    def apply(self, project=REPOSITORY):
        """Apply the `project` folder's files; return the `Outcome`."""
        if self._process is None or self._process.poll() is not None:
            self._start()
        self._process.stdin.write(json.dumps(str(project)) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the driver died: its stderr says why"
        return Outcome(**json.loads(answer))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process:
            self._process.communicate(timeout=60)

    def _start(self):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hosts.fidelity_driver"],
            cwd=REPOSITORY,
            env=self._world.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
