"""Applies the sandbox again and again in one process: for each line of stdin, the folder to work in, one of stdout.

A process of its own, for it needs the engine: gevent, which that needs, makes a worker of pytest-xdist hang.
"""

from healthv1 import cooperation

cooperation.begin()

import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import traceback  # noqa: E402
from dataclasses import asdict  # noqa: E402

from healthv1.commands.apply import apply  # noqa: E402
from healthv1.commands.plan import plan  # noqa: E402
from healthv1.errors import Refused  # noqa: E402


def outcome():
    """Return what a plan said, what an apply made of it, and what a plan says then."""
    agreed = []
    nothing = {"made": [], "left": []}
    try:
        made = apply("sandbox", (), lambda seen: agreed.append(seen) or True)
        left = plan("sandbox", ())
    except Refused as refusal:
        return {"planned": _changes(agreed), **nothing, "faults": [asdict(one) for one in refusal.faults]}
    except Exception:  # noqa: BLE001 - a test is to show it
        return {"planned": _changes(agreed), **nothing, "faults": [{"what": traceback.format_exc()}]}
    faults = [asdict(fault) for fault in (*made.faults, *left.faults)]
    return {"planned": _changes(agreed), "made": _changes([made]), "left": _changes([left]), "faults": faults}


def _changes(sources):
    return [
        [step.host, step.component, step.operation, asdict(change)]
        for source in sources
        for step in source.steps
        for change in step.changes
    ]


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nothing else may come between the answers
    for line in sys.stdin:
        os.chdir(json.loads(line))
        print(json.dumps(outcome()), file=answers, flush=True)


if __name__ == "__main__":
    main()
