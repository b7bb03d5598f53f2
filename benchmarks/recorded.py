"""Record the answers of the sandbox's host to a plan, by question: python -m benchmarks.recorded."""

# ruff: noqa: E402 - as in healthv1/__main__.py
from healthv1 import cooperation

cooperation.begin()

import json
from collections.abc import Iterable, Iterator

from pyinfra.connectors.util import CommandOutput

from healthv1.hosts import connector
from healthv1.hosts.fact_batches import Query, Question, answers, in_subshell
from healthv1.hosts.session import opened
from healthv1.rollout import planner

heard: dict[str, list[str]] = {}


def heeded(asked: list[Query], lines: Iterable[str], mark: str) -> Iterator[tuple[Question, CommandOutput]]:
    found = dict(answers(asked, lines, mark))
    for one in asked:
        heard[in_subshell(one.command)] = [line for question in one.questions for line in found[question].stdout_lines]
    yield from found.items()


def main() -> None:
    vars(connector).update(answers=heeded)
    with opened("sandbox") as session:
        made = planner.plan(session)
        if made.steps or made.faults:
            raise SystemExit("The host is not converged: what it answers is no measure.")
        print(json.dumps(heard))


if __name__ == "__main__":
    main()
