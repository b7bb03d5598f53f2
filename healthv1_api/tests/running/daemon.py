"""A server in the foreground, known by its process; it runs unprivileged, as its makers demand."""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import randrange

UNPRIVILEGED = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
LOOPBACK = "127.0.0.1"


# Below those that the kernel gives to whoever connects, and of each worker of a test run its own, one after another:
# a port is free from when it is chosen until its server listens there.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_PORTS = count(12_000 + 2_000 * (_WORKER % 10) + randrange(1_000))


def free_port() -> int:
    while True:
        port = next(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            return port


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def hand_over(directory: Path) -> None:
    if UNPRIVILEGED:
        for path in [directory, *directory.rglob("*")]:
            shutil.chown(path, "postgres", "postgres")


@dataclass
class Daemon:
    argv: list[str]
    port: int
    log: Path
    stop_with: signal.Signals = signal.SIGTERM
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(self.argv, stdout=output, stderr=output, **UNPRIVILEGED)
        deadline = time.monotonic() + 30
        while not answers(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.argv[0]} did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(self.stop_with)
            self.process.wait(timeout=10)
