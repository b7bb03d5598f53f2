"""Many facts in one round trip: one script runs their commands, and its output is split by a mark."""

from __future__ import annotations

import math
import secrets
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from pyinfra.connectors.util import CommandOutput, OutputLine

from deploys.facts.each import BatchedCommand

QUERIES_PER_CHANNEL = 8  # commands: another shell and another sudo take about as long


@dataclass(frozen=True)
class Question:
    """The command of one fact, and the privileges that it runs with."""

    command: str
    privileges: str
    """The connector's arguments as text, for comparison."""
    arguments: dict[str, Any] = field(default_factory=dict, compare=False)
    each: BatchedCommand | None = field(default=None, compare=False)
    """Set when the question can be merged with others of its kind."""

    @classmethod
    def of(cls, command: Any, arguments: dict[str, Any]) -> Question:
        text = command if isinstance(command, str) else command.get_raw_value()
        each = command if isinstance(command, BatchedCommand) else None
        return cls(text, repr(sorted(arguments.items())), arguments, each)


@dataclass(frozen=True)
class Query:
    """One command of a script: a question, or several merged questions."""

    questions: tuple[Question, ...]

    @property
    def command(self) -> str:
        each = [question.each for question in self.questions if question.each]
        return type(each[0]).batch(each) if each else self.questions[0].command

    def answers_in(self, lines: list[str]) -> Iterator[tuple[Question, CommandOutput]]:
        for question in self.questions:
            each = question.each
            own = [line for line in lines if each is None or line.startswith(f"{each.subject}\t")]
            yield question, CommandOutput([OutputLine("stdout", line) for line in own])


def merged_queries(questions: Iterable[Question]) -> list[Query]:
    """Merge the questions into as few queries as possible. Two questions about the same thing go into two queries."""
    questions_by_query: dict[object, dict[object, Question]] = {}
    for question in questions:
        each, turn = question.each, 0
        while each and each.subject in questions_by_query.get((type(each), turn), ()):
            turn += 1
        questions_by_query.setdefault((type(each), turn) if each else question, {})[each.subject if each else ""] = (
            question
        )
    return [Query(tuple(group.values())) for group in questions_by_query.values()]


def grouped_by_privileges(questions: Iterable[Question]) -> Iterator[list[Question]]:
    """Yield the questions in groups of the same privileges: each group can share a script."""
    unique = sorted(dict.fromkeys(questions), key=lambda question: question.privileges)
    for _, group in groupby(unique, key=lambda question: question.privileges):
        yield list(group)


def balanced_parts(queries: list[Query], most: int) -> list[list[Query]]:
    """Split the queries into at most `most` parts of about the same duration, judged by the length of the commands."""
    parts: list[list[Query]] = [[] for _ in range(min(most, math.ceil(len(queries) / QUERIES_PER_CHANNEL)))]
    for query in sorted(queries, key=lambda query: -len(query.command)):
        min(parts, key=lambda part: sum(len(query.command) for query in part)).append(query)
    return parts


def script(queries: list[Query]) -> tuple[str, str]:
    """Return a script for `sh`, and its random mark, which no program on the host can print by chance."""
    mark = secrets.token_hex(16)
    ending = f"2>/dev/null </dev/null; printf '\\n%s %s\\n' {mark} $?"
    return "\n".join(f"{in_subshell(query.command)} {ending}" for query in queries), mark


def in_subshell(command: str) -> str:
    """Return the command in a subshell, so that it cannot affect the others. A new shell would cost its start."""
    return f"( eval {shlex.quote(command)} )"


def answers(queries: list[Query], lines: Iterable[str], mark: str) -> Iterator[tuple[Question, CommandOutput]]:
    """Yield the output of each question whose command succeeded."""
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
