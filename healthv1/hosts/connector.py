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

from healthv1.hosts.fact_batches import Asked, Question, alike, answers, script, shares, together
from healthv1.hosts.line import Crowded
from healthv1.hosts.pyinfra_patches import tell_facts
from healthv1.hosts.signing_in import SignedIn

AT_ONCE = 3  # scripts: some facts wait more than they work
Output = tuple[bool, Any]


class Unanswered(Exception):  # noqa: N818 - it reads as what happened
    """A fact was asked for while questions are only being gathered."""


class FastSSH(SignedIn):
    """Facts are remembered until the next write; everything that is not a fact counts as a write.

    While questions are gathered, a fact that is not known yet raises `Unanswered`; they are then asked all at once.
    """

    handles_execution = True

    def __init__(self, state: Any, host: Host) -> None:
        super().__init__(state, host)
        self._remembered: dict[Question, Output] = {}
        self._reading = 0
        self._gathered: list[Question] | None = None
        self._learned: dict[Question, Output] | None = None
        self._single: set[Question] = set()
        """Questions that failed among others: asked alone, they say why."""
        self.complaint: list[str] = []
        """What the last failing command said."""
        self._beside: FastSSH | None = None
        """A second connection to the same host."""
        self._alone = BoundedSemaphore()
        tell_facts(host, self._asking)

    def run_shell_command(self, command: Any, *_: Any, **arguments: Any) -> Any:
        if not self._reading:
            self.forget()
            return self._heard(self._run(command, arguments))
        question = Question.of(command, arguments)
        if question not in self._remembered:
            if self._gathered is not None and question not in self._single:
                self._gathered.append(question)
                raise Unanswered
            self._remembered[question] = self._heard(self._run(command, arguments))
        said = self._remembered[question]
        return said if self._learned is None else self._learned.setdefault(question, said)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """While this lasts, commands come from facts."""
        self._reading += 1
        try:
            yield
        finally:
            self._reading -= 1

    def run_aside(self, command: Any, **arguments: Any) -> Any:
        """Run what is neither a fact nor a write: what the host said of itself is still true afterwards."""
        return self._run(command, arguments)

    def run_beside(self, command: Any, **arguments: Any) -> Any:
        """Run what cannot wait, as `run_aside` does: where sshd takes no more sessions, over a second connection."""
        try:
            return self._run(command, arguments, wait=False)
        except Crowded:
            with self._alone:
                self._beside = self._beside or self._another()
            return self._beside.run_aside(command, **arguments)

    def _another(self) -> FastSSH:
        another = copy(self)
        another.client = None
        another.connect()
        return another

    def _run(self, command: Any, arguments: dict[str, Any], *, wait: bool = True) -> Output:
        """Run a command as pyinfra does, only that nobody is asked for a password, and no host waited for in vain."""
        rest = dict(arguments)
        stdin, timeout, fine = (rest.pop(name, None) for name in ("_stdin", "_timeout", "_success_exit_codes"))
        for name in ("_get_pty", "print_input", "print_output"):
            rest.pop(name, None)
        text = make_unix_command_for_host(self.state, self.host, command, **_understood(rest))
        logger.debug("Running command on %s: %s", self.host.name, text)
        code, output = self.line.run(text.get_raw_value(), stdin, timeout, wait=wait)
        return code in (fine or (0,)), output

    @property
    def knows_nothing(self) -> bool:
        """Whether nothing was asked since the last write."""
        return not self._remembered

    def forget(self) -> None:
        self._remembered.clear()

    @contextmanager
    def learning(self) -> Iterator[dict[Question, Output]]:
        """Collect what is asked in this context, and what the host says to it."""
        learned = self._learned = {}
        try:
            yield learned
        finally:
            self._learned = None

    @contextmanager
    def gathering(self) -> Iterator[list[Question]]:
        """Gather what is asked in this context and not known yet."""
        self._gathered = []
        try:
            yield self._gathered
        finally:
            self._gathered = None

    def ask(self, questions: list[Question], timeout: int | None = None) -> bool:
        """Ask all of them in one round trip, over a few channels at once. Returns whether the host let us ask."""

        def tried(some: list[Asked]) -> bool | Exception:
            try:
                return self._ask(some, timeout)
            except Exception as error:  # noqa: BLE001 - raised below: out of a greenlet gevent would also print it
                return error

        said = [gevent.spawn(tried, some) for group in alike(questions) for some in shares(together(group), AT_ONCE)]
        outcomes = [one.get() for one in said]
        for error in outcomes:
            if isinstance(error, Exception):
                raise error
        return all(outcomes)

    def _ask(self, asked: list[Asked], timeout: int | None) -> bool:
        text, mark = script(asked)
        questions = [question for one in asked for question in one.questions]
        arguments = questions[0].arguments | {"_stdin": text} | ({"_timeout": timeout} if timeout else {})
        succeeded, output = self._heard(self._run(StringCommand("sh", "-s"), arguments))
        self._remembered |= {question: (True, said) for question, said in answers(asked, output.stdout_lines, mark)}
        self._single |= {question for question in questions if question not in self._remembered}
        return bool(succeeded)

    def put_file(self, *args: Any, **arguments: Any) -> bool:
        self.forget()
        return bool(super().put_file(*args, **arguments))

    def disconnect(self) -> None:
        super().disconnect()
        for connector in (self, self._beside):
            if connector is not None and connector.client is not None:  # pyinfra leaves it open
                connector.client.close()

    def _heard(self, result: Output) -> Output:
        succeeded, output = result
        if not succeeded:
            self.complaint = output.stderr_lines or output.stdout_lines
        return result


def _understood(arguments: dict[str, Any]) -> dict[str, Any]:
    """Have programs answer in the words and with the numbers that we read, whatever the host speaks."""
    return {**arguments, "_env": {"LC_ALL": "C.UTF-8", **(arguments.get("_env") or {})}}
