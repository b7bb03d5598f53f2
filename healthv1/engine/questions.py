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

WORTH_A_CHANNEL = 8  # questions: another shell and another sudo take about as long


@dataclass(frozen=True)
class Question:
    """The command of one fact, and with which privileges it is asked."""

    command: str
    privileges: str
    """The connector's arguments, written down so that they can be compared."""
    arguments: dict[str, Any] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, command: Any, arguments: dict[str, Any]) -> Question:
        text = command if isinstance(command, str) else command.get_raw_value()
        return cls(text, repr(sorted(arguments.items())), arguments)


def alike(questions: Iterable[Question]) -> Iterator[list[Question]]:
    """Yield those that can share a script: asked with the same privileges."""
    once = sorted(dict.fromkeys(questions), key=lambda question: question.privileges)
    for _, group in groupby(once, key=lambda question: question.privileges):
        yield list(group)


def shares(questions: list[Question], ways: int) -> list[list[Question]]:
    """Return them in at most so many shares that take about as long: what is longer to say takes longer to do."""
    parts: list[list[Question]] = [[] for _ in range(min(ways, math.ceil(len(questions) / WORTH_A_CHANNEL)))]
    for question in sorted(questions, key=lambda question: -len(question.command)):
        min(parts, key=lambda part: sum(len(one.command) for one in part)).append(question)
    return parts


def script(questions: list[Question]) -> tuple[str, str]:
    """Return a script for `sh`, and the mark that nothing on the host can know beforehand."""
    mark = secrets.token_hex(16)
    asked = (
        f"sh -c {shlex.quote(question.command)} 2>/dev/null </dev/null; printf '\\n%s %s\\n' {mark} $?"
        for question in questions
    )
    return "\n".join(asked), mark


def answers(lines: Iterable[str], mark: str) -> Iterator[tuple[bool, CommandOutput]]:
    """Yield, in the order of the questions, whether each command succeeded and what it printed."""
    said: list[str] = []
    for line in lines:
        if not line.startswith(mark):
            said.append(line)
            continue
        if said and not said[-1]:  # the line break that stands before every mark
            said.pop()
        yield line == f"{mark} 0", CommandOutput([OutputLine("stdout", one) for one in said])
        said = []
