"""Visitors who never stop: wrk through Nginx with TLS, and one who logs in, writes and reads with curl."""

import json
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

from tests.hosts.clinic import Clinic
from tests.hosts.world import World

# Every other request is a POST: Nginx never sends one again, so that each that is cut shows.
SCRIPT = """
local read, search, turn = nil, nil, 0
function init()
  local headers = {["Authorization"] = "Bearer %(token)s", ["Content-Type"] = "application/json"}
  read = wrk.format("GET", "/v1/patients/%(row)s", headers)
  search = wrk.format("POST", "/v1/patients/search", headers, '{"identifier": "nobody"}')
end
function request()
  turn = turn + 1
  return turn %% 2 == 0 and read or search
end
%(delay)s
function done(summary)
  local e = summary.errors
  local told = '\\n{"answers":%%d,"status":%%d,"connect":%%d,"read":%%d,"write":%%d,"timeout":%%d}\\n'
  io.write(string.format(told, summary.requests, e.status, e.connect, e.read, e.write, e.timeout))
end
"""
NO_ERROR = {"status": 0, "connect": 0, "read": 0, "write": 0, "timeout": 0}
LONGEST = 300  # seconds


def without_rate_limits(world, project):
    settings = project / "group_data/all.py"
    settings.write_text(settings.read_text().replace("nginx = Nginx()", "nginx = Nginx(rate_limits=False)"))
    world.must("apply", "sandbox", "--yes", cwd=project)


@dataclass
class Traffic:
    world: World
    place: Path
    """An empty folder of its own."""

    @contextmanager
    def load(self, pause=0):
        """Yield what is counted; it is filled in at the end. The token is a new one.

        + pause: milliseconds that each connection waits between requests; 0: the load takes all that there is.
        """
        clinic, counted = Clinic(self.world), {}
        with clinic.patient() as row:
            script = self.place / "load.lua"
            delay = f"function delay() return {pause} end" if pause else ""
            script.write_text(SCRIPT % {"token": clinic.token, "row": row, "delay": delay})
            with subprocess.Popen(self._wrk(script), stdout=subprocess.PIPE, text=True) as process:
                try:
                    time.sleep(1)
                    yield counted
                    time.sleep(1)
                finally:
                    process.send_signal(signal.SIGINT)
                    counted.update(json.loads(process.communicate(timeout=10)[0].splitlines()[-1]))

    def _wrk(self, script):
        """Tell wrk a name, for SNI; it looks the address up in a file of its own."""
        found, names = self.world.running, self.place / "hosts"
        names.write_text(f"{found.edge.address} {found.domain}\n")
        wrk = f"exec wrk -t1 -c16 -d{LONGEST}s --timeout 10s -s {script} https://{found.domain}"
        return ["unshare", "--mount", "sh", "-c", f"mount --bind {names} /etc/hosts && {wrk}"]


@dataclass
class Visitor(Thread):
    """Logs in anew each time, writes a patient and reads him back, until told to stop."""

    world: World
    visits: int = 0
    failures: list = field(default_factory=list)
    stopped: Event = field(default_factory=Event)

    def __post_init__(self):
        super().__init__(daemon=True)

    __hash__ = Thread.__hash__

    def run(self):
        while not self.stopped.wait(0.3):
            self.visits += 1
            try:
                self._visit()
            except AssertionError as error:
                self.failures.append(f"visit {self.visits}: {error}")

    def _visit(self):
        clinic = Clinic(self.world)
        with clinic.patient() as row:
            status, body = clinic.ask("GET", f"/v1/patients/{row}")
            assert status == 200, body

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.join()
