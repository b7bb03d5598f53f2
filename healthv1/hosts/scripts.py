"""Scripts outside of pyinfra's operations: over the same connection, and without clearing cached facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gevent
from paramiko import SSHException
from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.exceptions import ConnectError
from pyinfra.api.host import Host
from pyinfra.connectors.util import CommandOutput

from healthv1.errors import Fault, HostError
from healthv1.hosts.connector import FastSSH
from healthv1.hosts.session import Session, faults_of

HINTS = {
    "No space left": "make room on it",
    "Read-only file system": "see why it was mounted read-only: dmesg",
    "Permission denied": "let the SSH user run sudo without a password",
}


def ssh_hosts(hosts: list[Host]) -> list[Host]:
    """Return the hosts on SSH; recorded hosts keep no state."""
    return [host for host in hosts if issubclass(host.connector_cls, FastSSH)]


@dataclass(frozen=True)
class ProgramEnd:
    succeeded: bool
    output: str
    errors: str


def run_program(host: Host, argv: Sequence[str], timeout: float, stdin: str = "") -> ProgramEnd:
    """Run a program as root; return how it ended. Raises `HostError` when it is not done in `timeout` s.

    + stdin: what it reads; it may be a secret.
    """
    words = (QuoteString(word) for word in argv)
    succeeded, output = _run(host, StringCommand(*words), timeout, stdin)
    return ProgramEnd(succeeded, str(output.stdout), "\n".join(output.stderr_lines))


def _run(host: Host, command: StringCommand, timeout: float, stdin: str) -> tuple[bool, CommandOutput]:
    connector = host.connector
    assert isinstance(connector, FastSSH)
    try:
        with gevent.Timeout(timeout, TimeoutError):
            succeeded, output = connector.run_without_waiting(command, _sudo=True, _stdin=stdin)
    except (ConnectError, OSError, EOFError, SSHException) as error:
        what = str(error) or f"no answer within {timeout:g} s"
        raise HostError(Fault(host.name, f"It does not answer ({what}).", "see whether it is up")) from None
    return bool(succeeded), output


def run_script(host: Host, script: str, timeout: float) -> str:
    """Run `script` as root; return what it printed. Raises `HostError` when it fails, or is not done in `timeout` s."""
    succeeded, output = _run(host, StringCommand("sh", "-s"), timeout, script)
    if not succeeded:
        message = "; ".join(output.stderr_lines) or "it did not say why"
        hint = next((hint for words, hint in HINTS.items() if words in message), "")
        raise HostError(Fault(host.name, f"{message}.", hint))
    return str(output.stdout)


def run_read_only(host: Host, command: StringCommand, **arguments: Any) -> tuple[bool, CommandOutput]:
    """Run a read-only command, as pyinfra does, but keep the cached facts."""
    run = host.connector.run_without_forgetting if isinstance(host.connector, FastSSH) else host.run_shell_command
    done, output = run(command, **arguments)
    return bool(done), output


def inactive_hosts(session: Session) -> list[Host]:
    """Return the environment's hosts that are not active in this session: outside of --limit, or with faults."""
    return [host for host in session.all_hosts if host not in session.state.active_hosts]


def connect(host: Host, timeout: float) -> None:
    """Connect to an inactive host. Raises `HostError`."""
    if host.connected:
        return
    try:
        with gevent.Timeout(timeout, TimeoutError):
            host.connect(show_errors=False, raise_exceptions=True)
    except TimeoutError:
        raise HostError(Fault(host.name, f"It could not be reached within {timeout:g} s.")) from None
    except ConnectError as error:
        raise HostError(*faults_of(host, error)) from None
