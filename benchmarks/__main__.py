"""`make bench`: the cost of plan and apply, compared with other tools on the same host, in one run.

Figures are ratios within one run: other load on this machine affects all alike. All temporary files and hosts are gone
afterwards; only Ansible in build/ stays.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from benchmarks import backups, comparison, distance, fleet, project, throughput
from benchmarks.measure import HEALTHV1, Contender, Goals, Row, Table
from healthv1.sandbox import Sandbox, lifecycle
from healthv1.sandbox.lifecycle import Shape

WORLD = Sandbox("bench")


def first_apply(_folder: Path) -> list[Table]:
    name = "healthv1 apply, from a bare host"
    seconds = Contender(name, (*HEALTHV1, "apply", "sandbox", "--yes"), "").seconds()
    return [Table("The first apply", (Row(name, seconds, "the whole stack", 1),))]


SECTIONS: dict[str, Callable[[Path], list[Table] | list[Goals]]] = {
    "comparison": comparison.tables,
    "distance": distance.tables,
    "fleet": fleet.tables,
    "throughput": throughput.tables,
    "backups": backups.tables,  # the last one: it leaves its gigabyte behind
}


def measured(sections: list[str], folder: Path) -> Iterator[Table | Goals]:
    project.make(folder / "team")
    yield from first_apply(folder)
    for section in sections:
        yield from SECTIONS[section](folder)
    load = " ".join(f"{load:.1f}" for load in os.getloadavg())
    yield Table("This machine", (), (f"{os.cpu_count()} processors; load average at the end: {load}",))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, nothing else there")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="this section; repeatable")
    arguments = parser.parse_args()
    os.environ["HEALTHV1_SANDBOX"] = WORLD.name
    tables = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="healthv1-bench-")))
        lifecycle.down(WORLD)
        stack.callback(lifecycle.down, WORLD)
        lifecycle.up(WORLD, Shape())
        for table in measured(arguments.only or list(SECTIONS), folder):
            tables.append(asdict(table))
            if not arguments.json:
                print(table, flush=True)
    if arguments.json:
        print(json.dumps({"schema": 1, "tables": tables}, indent=2))


if __name__ == "__main__":
    main()
