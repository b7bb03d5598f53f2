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

_RELIEF = 5  # seconds
LOST = (ConnectError, EOFError, OSError, SSHException)


class Perilous(StringCommand):
    """One that may cut its own connection off."""

    def __init__(
        self, *bits: Any, seconds: int, otherwise: str, anew: bool = False, relief: str = "", **arguments: Any
    ) -> None:
        """Take what `StringCommand` takes.

        + seconds: how long it may take.
        + otherwise: what is said where no answer comes.
        + anew: it is run over a connection of its own, opened for it: the kernel lets an established one live on when
          it lets in nobody new.
        + relief: what is then tried over the connection that was there.
        """
        super().__init__(*bits, **arguments)
        self._seconds, self._otherwise, self._anew, self._relief = seconds, otherwise, anew, relief

    def execute(self, state: Any, host: Host, connector_arguments: Any) -> tuple[bool, CommandOutput]:
        arguments = {**connector_arguments, **self.connector_arguments}
        late = TimeoutError("it took too long")
        try:
            with gevent.Timeout(self._seconds, late), _connector(host, self._anew) as chosen:
                shown = {"print_output": state.print_output, "print_input": state.print_input}
                succeeded, said = chosen.run_shell_command(self, **shown, **arguments)
                return bool(succeeded), said
        except LOST as error:
            if self._relief:
                with suppress(*LOST), gevent.Timeout(_RELIEF, TimeoutError()):
                    host.connector.run_shell_command(StringCommand(self._relief), **arguments)
            return False, CommandOutput([OutputLine("stderr", f"{self._otherwise} ({str(error).rstrip('.')})")])


@contextmanager
def _connector(host: Host, anew: bool) -> Iterator[Any]:
    """Yield what reaches the host: where that is SSH and it is wanted, a second connection of the same kind."""
    if not anew or not isinstance(host.connector, SSHConnector):
        yield host.connector
        return
    fresh = copy(host.connector)
    fresh.client = None
    try:
        fresh.connect()
        yield fresh
    finally:
        if fresh.client is not None:
            fresh.client.close()
