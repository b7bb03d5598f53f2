"""Commands over one SSH connection: as many sessions as sshd allows, and an error when the host is gone."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import Any

import gevent
from gevent.event import Event
from paramiko import Channel, Message, SSHException, Transport
from paramiko.common import cMSG_CHANNEL_REQUEST
from pyinfra.api.exceptions import ConnectError
from pyinfra.connectors.util import CommandOutput, read_output_buffers

from healthv1.hosts.keepalive import Keepalive
from healthv1.hosts.loginshell import CUT_SHORT, ShellCommand

SESSION_END_DELAY = 5.0
"""Seconds: sshd may still count a session for a moment after its end."""
PAUSE = 0.2  # seconds
NO_EXIT_CODE = -1
"""paramiko's exit code for a command without one: killed by a signal, or cut off."""


class TooManySessions(Exception):  # noqa: N818 - it reads as what happened
    """sshd takes no more sessions for now."""


class SshLine:
    def __init__(self, name: str, transport: Transport, patience: float) -> None:
        self._transport, self._patience = transport, patience
        self._keepalive = Keepalive(name, transport, patience)
        self._open: set[Channel] = set()
        self._session_limit = sys.maxsize
        """The number of sessions at which sshd refused one more."""
        self._session_ended = Event()

    def run(self, command: str, stdin: Any, timeout: int | None, *, wait: bool) -> tuple[int, CommandOutput]:
        """Return the exit code and the output. Raises `ConnectError` when the host is gone, or ran nothing.

        + timeout: seconds after which `TimeoutError` is raised.
        + wait: where sshd takes no more sessions, wait for one that ends, instead of raising `TooManySessions`.
        """
        shell_command = ShellCommand(command)
        channel = self._open_session(wait)
        try:
            self._exec(channel, shell_command.line)
            with suppress(OSError):  # it may end without reading, and then tells why
                channel.sendall(shell_command.stdin_prefix + _stdin_bytes(stdin))
                channel.shutdown_write()
            out, err = (
                shell_command.command_output(file) for file in (channel.makefile("rb"), channel.makefile_stderr("rb"))
            )
            output = read_output_buffers(out, err, timeout, print_output=False, print_prefix="")
            code = channel.recv_exit_status()
        except (SSHException, EOFError, OSError):
            self._refuse_loss()
            raise
        finally:
            channel.close()
            self._open.discard(channel)
            self._session_ended.set()
        if code == NO_EXIT_CODE:
            gevent.sleep(PAUSE)  # a connection that broke is closed channel by channel
            self._refuse_loss()
        _refuse_other_program(shell_command, code)
        return code, output

    def _open_session(self, wait: bool) -> Channel:
        deadline = time.monotonic() + SESSION_END_DELAY
        while True:
            self._session_ended.clear()
            if len(self._open) < self._session_limit:
                channel = self._try_session()
                if channel is not None:
                    return channel
            if self._open and not wait:
                raise TooManySessions
            if self._open:
                deadline = time.monotonic() + SESSION_END_DELAY
            elif time.monotonic() > deadline:
                raise ConnectError("sshd opens no session (MaxSessions)")
            self._session_ended.wait(PAUSE)

    def _try_session(self) -> Channel | None:
        """Return a session, or nothing where sshd refuses one."""
        try:
            channel = self._transport.open_session()
        except (SSHException, EOFError, OSError) as error:
            self._refuse_loss()
            # Of several that are refused at once paramiko tells one the reason, and the others nothing.
            if isinstance(error, SSHException):
                self._session_limit = len(self._open) or self._session_limit
                return None
            raise
        self._open.add(channel)
        return channel

    def _exec(self, channel: Channel, line: str) -> None:
        """Send the exec request without awaiting the reply: that saves a round trip. A refusal closes the channel."""
        request = Message()
        request.add_byte(cMSG_CHANNEL_REQUEST)
        request.add_int(channel.remote_chanid)
        request.add_string("exec")
        request.add_boolean(True)
        request.add_string(line)
        self._transport._send_user_message(request)  # type: ignore[attr-defined]  # noqa: SLF001 - as exec_command does

    def _refuse_loss(self) -> None:
        if self._transport.is_active():
            return
        if self._keepalive.given_up:
            raise ConnectError(f"No answer for {self._patience:.0f} s, given up")
        raise ConnectError("The connection was lost")


def _stdin_bytes(stdin: Any) -> bytes:
    """Return what pyinfra would send: text or lines, each with a line break at its end."""
    if not stdin:
        return b""
    lines = stdin.readlines() if hasattr(stdin, "readlines") else stdin
    several = lines if isinstance(lines, list | tuple) else [lines]
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in several).encode()


def _refuse_other_program(shell_command: ShellCommand, code: int) -> None:
    """Raise `ConnectError` when another program ran: the account has no shell, or sshd forces a command."""
    noise = "; ".join(line.strip() for line in shell_command.noise if line.strip())[:300]
    if not shell_command.started:
        raise ConnectError(f"Its login shell ran no command ({noise or f'it said nothing, exit code {code}'})")
    if code == CUT_SHORT:
        raise ConnectError("What its login shell reads first took our command from stdin")
