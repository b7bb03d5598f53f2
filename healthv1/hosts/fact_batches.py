"""Many facts in one round trip: their commands as one script, and its output taken apart again."""

from __future__ import annotations

import math
import secrets
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from pyinfra.connectors.util import CommandOutput, OutputLine

from deploys.facts.each import Each

QUERIES_PER_CHANNEL = 8  # commands: another shell and another sudo take about as long


@dataclass(frozen=True)
class Question:
    """The command of one fact, and with which privileges it is asked."""

    command: str
    privileges: str
    """The connector's arguments, written down so that they can be compared."""
    arguments: dict[str, Any] = field(default_factory=dict, compare=False)
    each: Each | None = field(default=None, compare=False)
    """It is one of several that can be asked at once."""

    @classmethod
    def of(cls, command: Any, arguments: dict[str, Any]) -> Question:
        text = command if isinstance(command, str) else command.get_raw_value()
        each = command if isinstance(command, Each) else None
        return cls(text, repr(sorted(arguments.items())), arguments, each)


@dataclass(frozen=True)
class Query:
    """What is asked with one command: a question, or several that are one for the host."""

    questions: tuple[Question, ...]

    @property
    def command(self) -> str:
        each = [question.each for question in self.questions if question.each]
        return type(each[0]).together(each) if each else self.questions[0].command

    def answers_in(self, lines: list[str]) -> Iterator[tuple[Question, CommandOutput]]:
        for question in self.questions:
            each = question.each
            own = [line for line in lines if each is None or line.startswith(f"{each.thing}\t")]
            yield question, CommandOutput([OutputLine("stdout", line) for line in own])


def merged_queries(questions: Iterable[Question]) -> list[Query]:
    """Return as few to ask as there can be. What is asked twice about one thing is asked apart."""
    questions_by_query: dict[object, dict[object, Question]] = {}
    for question in questions:
        each, turn = question.each, 0
        while each and each.thing in questions_by_query.get((type(each), turn), ()):
            turn += 1
        questions_by_query.setdefault((type(each), turn) if each else question, {})[each.thing if each else ""] = (
            question
        )
    return [Query(tuple(group.values())) for group in questions_by_query.values()]


def grouped_by_privileges(questions: Iterable[Question]) -> Iterator[list[Question]]:
    """Yield those that can share a script: asked with the same privileges."""
    unique = sorted(dict.fromkeys(questions), key=lambda question: question.privileges)
    for _, group in groupby(unique, key=lambda question: question.privileges):
        yield list(group)


def balanced_parts(queries: list[Query], most: int) -> list[list[Query]]:
    """Return them in at most so many shares that take about as long: what is longer to say takes longer to do."""
    parts: list[list[Query]] = [[] for _ in range(min(most, math.ceil(len(queries) / QUERIES_PER_CHANNEL)))]
    for query in sorted(queries, key=lambda query: -len(query.command)):
        min(parts, key=lambda part: sum(len(query.command) for query in part)).append(query)
    return parts


def script(queries: list[Query]) -> tuple[str, str]:
    """Return a script for `sh`, and the mark that nothing on the host can know beforehand."""
    mark = secrets.token_hex(16)
    ending = f"2>/dev/null </dev/null; printf '\\n%s %s\\n' {mark} $?"
    return "\n".join(f"{in_subshell(query.command)} {ending}" for query in queries), mark


def in_subshell(command: str) -> str:
    """Return the command as it harms no other. A shell of its own would do that as well, but its start costs."""
    return f"( eval {shlex.quote(command)} )"


def answers(queries: list[Query], lines: Iterable[str], mark: str) -> Iterator[tuple[Question, CommandOutput]]:
    """Yield what was printed for each question whose command succeeded."""
    output: list[str] = []
    waiting = iter(queries)
    for line in lines:
        if not line.startswith(mark):
            output.append(line)
            continue
        if output and not output[-1]:  # the line break that stands before every mark
            output.pop()
        query = next(waiting)
        if line == f"{mark} 0":
            yield from query.answers_in(output)
        output = []
