"""Detects a dead SSH connection: a host that is silent because it works still answers a keepalive.

sshd answers a keepalive whatever its sessions do. Any packet is a sign of life: an upload over a slow line may delay
that answer for a minute, but not the host's acknowledgements.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

import gevent
from paramiko import Transport

WARNINGS = 4
"""The number of warnings about silence before the connection is closed."""


class Keepalive:
    def __init__(self, name: str, transport: Transport, patience: float) -> None:
        """Watch a connection to `name` until it ends; close it after `patience` seconds of silence."""
        self._name, self._transport, self._patience = name, transport, patience
        self._quiet = 0.0
        self._warned = 0
        self.given_up = False
        read = transport.packetizer.read_message

        def read_packet() -> Any:
            packet = read()
            self._quiet = 0.0
            return packet

        transport.packetizer.read_message = read_packet  # type: ignore[method-assign]
        gevent.spawn(self._watch)

    def _watch(self) -> None:
        tick = min(1.0, self._patience / 24)
        asking: gevent.Greenlet | None = None
        while self._transport.is_active():
            if self._quiet >= self._patience / 12 and (asking is None or asking.ready()):
                asking = gevent.spawn(self._send_keepalive)
            gevent.sleep(tick)
            # Not the clock: while this process itself was busy, or its machine asleep, nobody listened.
            self._quiet += tick
            self._warn()

    def _send_keepalive(self) -> None:
        with suppress(Exception):  # the loop of _watch ends with the connection
            self._transport.global_request("keepalive@openssh.com", wait=True)

    def _warn(self) -> None:
        warnings = int(self._quiet / (self._patience / WARNINGS))
        log = logging.getLogger("healthv1")
        if warnings >= WARNINGS:
            self.given_up = True
            self._transport.close()
        elif warnings > self._warned:
            log.warning("No answer from %s for %.0f s", self._name, self._quiet)
        elif self._warned and not warnings:
            log.warning("%s answers again", self._name)
        self._warned = warnings
