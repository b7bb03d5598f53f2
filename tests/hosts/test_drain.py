"""Instances leave and come back under load, and no visitor notices."""

import json
import signal
import subprocess
import time
from contextlib import contextmanager
from threading import Thread

import pytest

from tests.hosts.clinic import Clinic

BOUND = 10  # seconds, for an instance to leave under load
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
function done(summary)
  local e = summary.errors
  local told = '\\n{"answers":%%d,"status":%%d,"connect":%%d,"read":%%d,"write":%%d,"timeout":%%d}\\n'
  io.write(string.format(told, summary.requests, e.status, e.connect, e.read, e.write, e.timeout))
end
"""
NO_ERROR = {"status": 0, "connect": 0, "read": 0, "write": 0, "timeout": 0}


@pytest.fixture
def unlimited(broken, project):
    """The deployed host without rate limits."""
    settings = project / "group_data/all.py"
    settings.write_text(settings.read_text().replace("nginx = Nginx()", "nginx = Nginx(rate_limits=False)"))
    broken.must("apply", "sandbox", "--yes", cwd=project)
    return broken


@pytest.fixture
def load(unlimited, tmp_path):
    clinic = Clinic(unlimited)
    found, script, names = unlimited.running, tmp_path / "load.lua", tmp_path / "hosts"
    names.write_text(f"{found.edge.address} {found.domain}\n")
    # wrk is told a name, for SNI, and looks it up: in a file of its own.
    wrk = f"mount --bind {names} /etc/hosts && exec wrk -t1 -c16 -d60s --timeout 10s -s {script} https://{found.domain}"

    @contextmanager
    def load():
        """Yield what is counted; it is filled in at the end."""
        counted = {}
        argv = ["unshare", "--mount", "sh", "-c", wrk]
        with clinic.patient() as row:
            script.write_text(SCRIPT % {"token": clinic.token, "row": row})
            with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
                try:
                    time.sleep(1)
                    yield counted
                    time.sleep(1)
                finally:
                    process.send_signal(signal.SIGINT)
                    counted.update(json.loads(process.communicate(timeout=10)[0].splitlines()[-1]))

    return load


def _bounded(world, command):
    began = time.monotonic()
    world.shell(command)
    assert time.monotonic() - began < BOUND, command


def _left_in_order(world, port):
    """The instance's last run ended by itself, and well."""
    shown = world.shell(f"systemctl show -p Result -p ExecMainStatus health-v1-api@{port}")
    assert set(shown.split()) == {"Result=success", "ExecMainStatus=0"}, world.shell(
        f"journalctl -b -u health-v1-api@{port} -n 30 -o cat"
    )


def test_no_request_fails_while_instances_leave_and_come_back(unlimited, load):
    with load() as stopped:
        _bounded(unlimited, "systemctl stop health-v1-api@8080")
        _left_in_order(unlimited, 8080)
        time.sleep(1)
        unlimited.shell("systemctl start health-v1-api@8080")
    with load() as restarted:
        for port in (8080, 8081):
            _bounded(unlimited, f"systemctl restart health-v1-api@{port}")
    with load() as killed:
        unlimited.shell("systemctl kill --signal=KILL health-v1-api@8081")
    for counted in (stopped, restarted, killed):
        assert counted.pop("answers") > 200
    assert stopped == NO_ERROR
    assert restarted == NO_ERROR
    assert killed != NO_ERROR, "the load does not tell of requests that are cut"


def test_a_stop_waits_for_a_request_that_waits(deployed):
    clinic, answers = Clinic(deployed), []
    with clinic.patient() as row:

        def change():
            answers.append(clinic.ask("PATCH", f"/v1/patients/{row}", {"notes": "changed"}, "-H", 'If-Match: "1"'))

        writer = Thread(target=change)
        with clinic.held(row):
            writer.start()
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            while clinic.sql(waiting) == "0":
                assert writer.is_alive(), answers
            # Whichever has it: both are told to go.
            deployed.shell("systemctl restart --no-block 'health-v1-api@*'; sleep 1.5")
            assert writer.is_alive()
        writer.join()
    assert [status for status, _ in answers] == [200]
    deployed.shell(
        "for port in 8080 8081; do for i in $(seq 50); do "
        "curl -sf 127.0.0.1:$port/health/ready >/dev/null && break; sleep 0.2; done || exit 1; done"
    )
