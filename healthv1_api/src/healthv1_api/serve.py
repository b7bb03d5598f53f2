"""One instance serves: requests on its port, metrics on its loopback port, and systemd knows its state."""

import asyncio
import gc
import math
import os
import signal
import socket
import sys
import time
from types import FrameType

import uvicorn
from prometheus_client import start_http_server

from healthv1_api.app import create_app
from healthv1_api.database.pool import closed_pool
from healthv1_api.draining import Draining, hear, take_no_new_connection
from healthv1_api.errors import PortError
from healthv1_api.keys.held import try_master_key
from healthv1_api.observe.logs import write_json_lines
from healthv1_api.observe.metrics import Metrics
from healthv1_api.observe.reports import report_to_sentry
from healthv1_api.settings import ServiceSettings

LOOPBACK = "127.0.0.1"
BACKLOG = 2048
DRAIN = 25  # seconds for running requests; the unit's TimeoutStopSec must be longer
FAREWELL = 1.0  # seconds not ready, but still serving: who asks for readiness goes elsewhere meanwhile
QUEUED = 0.1  # seconds to accept who has connected already
KEEP_ALIVE = 75  # seconds, more than Nginx's 60 for upstream connections, so that Nginx closes first


class NotifyingServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, draining: Draining) -> None:
        super().__init__(config)
        self._draining, self._leave_at = draining, math.inf

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Say first that it is not ready; a second signal does not wait."""
        if self._draining.began:
            super().handle_exit(sig, frame)
        self._draining.began, self._leave_at = True, time.monotonic() + FAREWELL

    async def on_tick(self, counter: int) -> bool:
        return time.monotonic() >= self._leave_at or await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _notify("READY=1")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        _notify("STOPPING=1")
        for listener in sockets or ():
            take_no_new_connection(listener)
        await asyncio.sleep(QUEUED)
        for connection in self.server_state.connections:
            if not connection.transport.is_closing():
                hear(connection.transport.get_extra_info("socket"))
        await super().shutdown(sockets)


def serve(settings: ServiceSettings, host: str) -> None:
    """Exit 0 when a signal has ended it, after the drain."""
    _leave_on_signals()
    write_json_lines(settings.log_level)
    report_to_sentry(settings)
    try_master_key(settings)
    pool, draining = closed_pool(settings), Draining()
    metrics = Metrics(pool)
    listener = _listen(host, settings.api_service_port)
    _expose(metrics, settings.prometheus_metrics_port)
    config = uvicorn.Config(
        create_app(settings, pool, metrics, draining),
        access_log=False,
        backlog=BACKLOG,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN,
        timeout_keep_alive=KEEP_ALIVE,
    )
    # What was imported stays: the collector need not walk through it again and again.
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    NotifyingServer(config, draining).run(sockets=[listener])


def _leave_on_signals() -> None:
    # uvicorn drains, then hands the signal to the handler that it found.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise PortError(
            f"API_SERVICE_PORT: cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}.",
            hint="give each instance a port of its own with --port.",
        ) from error


def _notify(state: str) -> None:
    """Send a word to systemd (sd_notify(3)): where NOTIFY_SOCKET says, and nowhere when it is unset."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as messenger:
        # A leading @ stands for the NUL byte of an abstract address.
        messenger.connect("\0" + address[1:] if address.startswith("@") else address)
        messenger.sendall(state.encode())


def _expose(metrics: Metrics, port: int) -> None:
    try:
        start_http_server(port, addr=LOOPBACK, registry=metrics.registry)
    except OSError as error:
        raise PortError(
            f"PROMETHEUS_METRICS_PORT: cannot listen on {LOOPBACK} port {port}: {os.strerror(error.errno or 0)}.",
            hint="give each instance a metrics port of its own with --metrics-port.",
        ) from error
