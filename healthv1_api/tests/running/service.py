"""The real `healthv1-api`, as a process with an environment of its own."""

import http.client
import json
import os
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from running.daemon import LOOPBACK, free_port

# As on a host. Root without it is told no like anybody else.
UNPRIVILEGED = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def document(self):
        return json.loads(self.text)


@dataclass
class Service:
    command: list[Path]
    environment: dict[str, str]
    directory: Path
    port: int = field(default_factory=free_port)
    metrics_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Service":
        """Return when it has told systemd that it is ready."""
        self._notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notifications.bind(str(self.directory / "notify"))
        self._notifications.settimeout(30)
        environment = {**self.environment, "NOTIFY_SOCKET": str(self.directory / "notify")}
        argv = [
            *UNPRIVILEGED,
            *self.command,
            "serve",
            "--port",
            str(self.port),
            "--metrics-port",
            str(self.metrics_port),
        ]
        with (self.directory / "stdout").open("ab") as out, (self.directory / "stderr").open("ab") as err:
            self.process = subprocess.Popen(argv, env=environment, stdout=out, stderr=err)
        assert self.told_systemd() == "READY=1"
        return self

    def told_systemd(self) -> str:
        return self._notifications.recv(1024).decode()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            time.sleep(0.02)
            self.process.terminate()  # the second signal does not wait for the farewell
            self.process.wait(timeout=10)
        self._notifications.close()

    def request(
        self, path: str, method: str = "GET", port: int | None = None, body: object = None, **headers: str
    ) -> Answer:
        """Send a body as JSON, or as it is when it is bytes already."""
        connection = http.client.HTTPConnection(LOOPBACK, port or self.port, timeout=30)
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        if body is not None:
            named = {"content-type": "application/json", **named}
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read().decode())
        finally:
            connection.close()

    def becomes(self, status: int, within: float = 8) -> Answer:
        """Wait until `/health/ready` answers with this status; the last answer, whatever it is."""
        deadline = time.monotonic() + within
        while (answer := self.request("/health/ready")).status != status and time.monotonic() < deadline:
            time.sleep(0.1)
        return answer

    @property
    def output(self) -> str:
        return (self.directory / "stdout").read_text() + (self.directory / "stderr").read_text()

    def lines_of(self, request: str, count: int) -> list[dict]:
        """The log lines of one request; the last is written after its answer."""
        deadline = time.monotonic() + 5
        while len(lines := [line for line in self.log if line.get("request_id") == request]) < count:
            assert time.monotonic() < deadline, lines
            time.sleep(0.02)
        return lines

    @property
    def log(self) -> list[dict]:
        return [
            json.loads(line)
            for line in (self.directory / "stdout").read_text().splitlines(keepends=True)
            if line.endswith("\n")
        ]
