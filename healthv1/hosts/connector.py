"""SSH without pyinfra's costs: the 40 ms stall of each command, a round trip for each fact, and facts fetched twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

import gevent
from gevent.lock import BoundedSemaphore
from pyinfra import logger
from pyinfra.api.command import StringCommand
from pyinfra.api.host import Host
from pyinfra.connectors.util import make_unix_command_for_host

from healthv1.hosts.fact_batches import (
    Query,
    Question,
    answers,
    balanced_parts,
    grouped_by_privileges,
    merged_queries,
    script,
)
from healthv1.hosts.pyinfra_patches import wrap_get_fact
from healthv1.hosts.signing_in import SignedIn
from healthv1.hosts.ssh_line import TooManySessions

PARALLEL_SCRIPTS = 3  # scripts: some facts wait more than they work
Output = tuple[bool, Any]


class Unanswered(Exception):  # noqa: N818 - it reads as what happened
    """A fact was asked for that is not cached, while questions are gathered."""


class FastSSH(SignedIn):
    """Answers to facts are cached until the next write. Every command that is not a fact counts as a write.

    While questions are gathered, a fact that is not cached raises `Unanswered`. The gathered ones are asked at once.
    """

    handles_execution = True

    def __init__(self, state: Any, host: Host) -> None:
        super().__init__(state, host)
        self._cache: dict[Question, Output] = {}
        self._facts_running = 0
        self._questions: list[Question] | None = None
        self._answers: dict[Question, Output] | None = None
        self._ask_alone: set[Question] = set()
        """Questions that failed in a batch: asked alone, their error is shown."""
        self.error_lines: list[str] = []
        """The output of the last command that failed."""
        self._second_connection: FastSSH | None = None
        """A second connection to the same host."""
        self._connecting = BoundedSemaphore()
        wrap_get_fact(host, self._in_fact)

    def run_shell_command(self, command: Any, *_: Any, **arguments: Any) -> Any:
        if not self._facts_running:
            self.forget()
            return self._noting_error(self._run(command, arguments))
        question = Question.of(command, arguments)
        if question not in self._cache:
            if self._questions is not None and question not in self._ask_alone:
                self._questions.append(question)
                raise Unanswered
            self._cache[question] = self._noting_error(self._run(command, arguments))
        output = self._cache[question]
        return output if self._answers is None else self._answers.setdefault(question, output)

    @contextmanager
    def _in_fact(self) -> Iterator[None]:
        """Commands in this context belong to facts."""
        self._facts_running += 1
        try:
            yield
        finally:
            self._facts_running -= 1

    def run_without_forgetting(self, command: Any, **arguments: Any) -> Any:
        """Run a command that is neither a fact nor a write: the cache stays valid."""
        return self._run(command, arguments)

    def run_without_waiting(self, command: Any, **arguments: Any) -> Any:
        """Run an urgent command, and keep the cache: where sshd takes no more sessions, over a second connection."""
        try:
            return self._run(command, arguments, wait=False)
        except TooManySessions:
            with self._connecting:
                self._second_connection = self._second_connection or self._connect_again()
            return self._second_connection.run_without_forgetting(command, **arguments)

    def _connect_again(self) -> FastSSH:
        second = copy(self)
        second.client = None
        second.connect()
        return second

    def _run(self, command: Any, arguments: dict[str, Any], *, wait: bool = True) -> Output:
        """Run a command as pyinfra does, but never ask for a password, and give up on a host that is gone."""
        shell_arguments = dict(arguments)
        stdin, timeout, success_codes = (
            shell_arguments.pop(name, None) for name in ("_stdin", "_timeout", "_success_exit_codes")
        )
        for name in ("_get_pty", "print_input", "print_output"):
            shell_arguments.pop(name, None)
        text = make_unix_command_for_host(self.state, self.host, command, **_with_c_locale(shell_arguments))
        logger.debug("Running command on %s: %s", self.host.name, text)
        code, output = self.line.run(text.get_raw_value(), stdin, timeout, wait=wait)
        return code in (success_codes or (0,)), output

    @property
    def cache_is_empty(self) -> bool:
        """Whether no fact was asked since the last write."""
        return not self._cache

    def forget(self) -> None:
        self._cache.clear()

    @contextmanager
    def collecting_answers(self) -> Iterator[dict[Question, Output]]:
        """Collect the questions of this context with their answers."""
        learned = self._answers = {}
        try:
            yield learned
        finally:
            self._answers = None

    @contextmanager
    def gathering_questions(self) -> Iterator[list[Question]]:
        """Gather the questions of this context that are not cached."""
        self._questions = []
        try:
            yield self._questions
        finally:
            self._questions = None

    def ask(self, questions: list[Question], timeout: int | None = None) -> bool:
        """Ask all questions in one round trip, over a few SSH channels. Return whether all scripts ran."""

        def try_batch(queries: list[Query]) -> bool | Exception:
            try:
                return self._ask(queries, timeout)
            except Exception as error:  # noqa: BLE001 - raised below: out of a greenlet gevent would also print it
                return error

        greenlets = [
            gevent.spawn(try_batch, queries)
            for group in grouped_by_privileges(questions)
            for queries in balanced_parts(merged_queries(group), PARALLEL_SCRIPTS)
        ]
        outcomes = [greenlet.get() for greenlet in greenlets]
        for error in outcomes:
            if isinstance(error, Exception):
                raise error
        return all(outcomes)

    def _ask(self, queries: list[Query], timeout: int | None) -> bool:
        text, mark = script(queries)
        questions = [question for query in queries for question in query.questions]
        arguments = questions[0].arguments | {"_stdin": text} | ({"_timeout": timeout} if timeout else {})
        succeeded, output = self._noting_error(self._run(StringCommand("sh", "-s"), arguments))
        self._cache |= {
            question: (True, output_of_question)
            for question, output_of_question in answers(queries, output.stdout_lines, mark)
        }
        self._ask_alone |= {question for question in questions if question not in self._cache}
        return bool(succeeded)

    def put_file(self, *args: Any, **arguments: Any) -> bool:
        self.forget()
        return bool(super().put_file(*args, **arguments))

    def disconnect(self) -> None:
        super().disconnect()
        for connector in (self, self._second_connection):
            if connector is not None and connector.client is not None:  # pyinfra leaves it open
                connector.client.close()

    def _noting_error(self, result: Output) -> Output:
        succeeded, output = result
        if not succeeded:
            self.error_lines = output.stderr_lines or output.stdout_lines
        return result


def _with_c_locale(arguments: dict[str, Any]) -> dict[str, Any]:
    """Add the locale C.UTF-8: programs then answer in the words and number formats that we parse."""
    return {**arguments, "_env": {"LC_ALL": "C.UTF-8", **(arguments.get("_env") or {})}}
