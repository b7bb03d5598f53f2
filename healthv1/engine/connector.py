"""SSH without pyinfra's costs: the 40 ms stall of each command, a round trip for each fact, and facts fetched twice."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import gevent
from paramiko import AuthenticationException, SSHException
from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import ConnectError
from pyinfra.api.host import Host
from pyinfra.connectors import ssh
from pyinfra.connectors.ssh import SSHConnector

from deploys.rollout import Rollout
from healthv1.engine.questions import Asked, Question, alike, answers, script, shares, together

if TYPE_CHECKING:  # what speaks to Vault is imported after sockets were made cooperative, and only by who uses it
    from healthv1.access.signing import Credential

KEEPALIVE = 15  # seconds
AT_ONCE = 3  # scripts: some facts wait more than they work
Output = tuple[bool, Any]

# Where sudo wants a password pyinfra asks the terminal for one, also in CI; we tell that sudo refuses.
vars(ssh).update(execute_command_with_sudo_retry=lambda _host, _arguments, execute: execute())


class Unanswered(Exception):  # noqa: N818 - it reads as what happened
    """A fact was asked for while questions are only being gathered."""


class FastSSH(SSHConnector):
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
        self.credential: Credential | None = None
        """The signed key that opened, or is to open, the connection."""
        self.complaint: list[str] = []
        """What the last failing command said."""
        _mark_facts(host, self)

    def _connect(self) -> None:
        self._sign_in()
        assert self.client is not None
        transport = self.client.get_transport()
        assert transport is not None
        transport.set_keepalive(KEEPALIVE)
        # Behind a jump host the transport's socket is a channel, which has no such option.
        if hasattr(transport.sock, "setsockopt"):
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def own_address(self) -> str:
        """Our own address on the connection; empty behind a jump host, and while there is none."""
        transport = self.client.get_transport() if self.client else None
        return str(transport.sock.getsockname()[0]) if transport and hasattr(transport.sock, "getsockname") else ""

    def _sign_in(self) -> None:
        """With a signed key where group_data says who signs; if the host refuses it, with the ordinary key."""
        self.credential = credential_for(self.host)
        if self.credential is None:
            super()._connect()
            return
        try:
            super()._connect()
        except ConnectError as error:
            if not isinstance(error.__context__, AuthenticationException):
                raise
            self._sign_in_with_the_key()

    def _sign_in_with_the_key(self) -> None:
        refused, self.credential = self.credential, None
        if self.client is not None:
            self.client.close()
        try:
            super()._connect()
        except (ConnectError, SSHException) as error:
            raise ConnectError(f"{str(error).rstrip('.')}; Authentication with {refused} had failed before") from None
        what = f"{self.host.name}: sshd refused {refused}, so the ordinary key was used."
        logging.getLogger("healthv1").warning("%s Hint: apply makes sshd trust who signs it; compare clocks", what)

    def make_paramiko_kwargs(self) -> dict[str, Any]:
        patience = (self.host.data.get("rollout") or Rollout()).connect_timeout
        return {**self._sign_in_with(), "timeout": patience, "banner_timeout": patience}

    def _sign_in_with(self) -> dict[str, Any]:
        if self.credential is None:
            return super().make_paramiko_kwargs()
        everything = self.data
        # The ordinary key need not even exist.
        self.data = {**everything, "ssh_key": None, "ssh_password": None, "ssh_allow_agent": False}  # type: ignore[typeddict-item]
        try:
            arguments = super().make_paramiko_kwargs()
        finally:
            self.data = everything
        return {**arguments, "pkey": self.credential.key, "look_for_keys": False}

    def run_shell_command(self, command: Any, *args: Any, **arguments: Any) -> Any:
        arguments = _understood(arguments)
        if not self._reading:
            self.forget()
            return self._heard(super().run_shell_command(command, *args, **arguments))
        question = Question.of(command, arguments)
        if question not in self._remembered:
            if self._gathered is not None and question not in self._single:
                self._gathered.append(question)
                raise Unanswered
            self._remembered[question] = self._heard(super().run_shell_command(command, *args, **arguments))
        said = self._remembered[question]
        return said if self._learned is None else self._learned.setdefault(question, said)

    def run_aside(self, command: Any, **arguments: Any) -> Any:
        """Run what is neither a fact nor a write: what the host said of itself is still true afterwards."""
        return super().run_shell_command(command, **arguments)

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
        arguments = _understood(questions[0].arguments) | {"_stdin": text} | ({"_timeout": timeout} if timeout else {})
        succeeded, output = self._heard(super().run_shell_command(StringCommand("sh", "-s"), **arguments))
        self._remembered |= {question: (True, said) for question, said in answers(asked, output.stdout_lines, mark)}
        self._single |= {question for question in questions if question not in self._remembered}
        return bool(succeeded)

    def put_file(self, *args: Any, **arguments: Any) -> bool:
        self.forget()
        return bool(super().put_file(*args, **arguments))

    def disconnect(self) -> None:
        super().disconnect()
        if self.client is not None:  # pyinfra leaves it open
            self.client.close()

    def _heard(self, result: Output) -> Output:
        succeeded, output = result
        if not succeeded:
            self.complaint = output.stderr_lines or output.stdout_lines
        return result


def _understood(arguments: dict[str, Any]) -> dict[str, Any]:
    """Have programs answer in the words and with the numbers that we read, whatever the host speaks."""
    return {**arguments, "_env": {"LC_ALL": "C.UTF-8", **(arguments.get("_env") or {})}}


def credential_for(host: Host) -> Credential | None:
    """Return the key that was signed for the account that we sign in as, where group_data says who signs."""
    sign = getattr(getattr(host.data.get("sshd"), "certificates", None), "credential", None)
    user = host.data.get("ssh_user")
    return sign(str(user)) if sign and user else None


def _mark_facts(host: Host, connector: FastSSH) -> None:
    """Let the connector know whether a command comes from a fact."""
    get_fact = host.get_fact

    def reading(*args: Any, **kwargs: Any) -> Any:
        connector._reading += 1  # noqa: SLF001
        try:
            return get_fact(*args, **kwargs)
        finally:
            connector._reading -= 1  # noqa: SLF001

    host.get_fact = reading  # type: ignore[method-assign]
