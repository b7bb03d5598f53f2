"""Commands of which the connection itself is at stake: they are waited for some seconds, not for minutes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import copy
from typing import Any

import gevent
from paramiko import SSHException
from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import ConnectError
from pyinfra.api.host import Host
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.util import CommandOutput, OutputLine

_FALLBACK_SECONDS = 5  # seconds
CONNECTION_ERRORS = (ConnectError, EOFError, OSError, SSHException)


class RiskyCommand(StringCommand):
    """One that may cut its own connection off."""

    def __init__(
        self, *bits: Any, timeout: int, complaint: str, reconnect: bool = False, fallback: str = "", **arguments: Any
    ) -> None:
        """Take what `StringCommand` takes.

        + timeout: how many seconds it may take.
        + complaint: what is said where no answer comes.
        + reconnect: it is run over a connection of its own, opened for it: the kernel lets an established one live on
          when it lets in nobody new.
        + fallback: what is then tried over the connection that was there.
        """
        super().__init__(*bits, **arguments)
        self._timeout, self._complaint, self._reconnect, self._fallback = timeout, complaint, reconnect, fallback

    def execute(self, state: Any, host: Host, connector_arguments: Any) -> tuple[bool, CommandOutput]:
        arguments = {**connector_arguments, **self.connector_arguments}
        timeout_error = TimeoutError("it took too long")
        try:
            with gevent.Timeout(self._timeout, timeout_error), _connection(host, self._reconnect) as connector:
                print_arguments = {"print_output": state.print_output, "print_input": state.print_input}
                succeeded, output = connector.run_shell_command(self, **print_arguments, **arguments)
                return bool(succeeded), output
        except CONNECTION_ERRORS as error:
            if self._fallback:
                with suppress(*CONNECTION_ERRORS), gevent.Timeout(_FALLBACK_SECONDS, TimeoutError()):
                    host.connector.run_shell_command(StringCommand(self._fallback), **arguments)
            return False, CommandOutput([OutputLine("stderr", f"{self._complaint} ({str(error).rstrip('.')})")])


@contextmanager
def _connection(host: Host, reconnect: bool) -> Iterator[Any]:
    """Yield what reaches the host: where that is SSH and it is wanted, a second connection of the same kind."""
    if not reconnect or not isinstance(host.connector, SSHConnector):
        yield host.connector
        return
    connector = copy(host.connector)
    connector.client = None
    try:
        connector.connect()
        yield connector
    finally:
        if connector.client is not None:
            connector.client.close()
