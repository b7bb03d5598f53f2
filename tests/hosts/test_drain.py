"""Instances leave and come back under load, and no visitor notices."""

import time
from threading import Thread

import pytest

from tests.hosts.clinic import Clinic
from tests.hosts.traffic import NO_ERROR, Traffic, without_rate_limits

BOUND = 10  # seconds, for an instance to leave under load


@pytest.fixture
def unlimited(broken, project):
    """The deployed host without rate limits."""
    without_rate_limits(broken, project)
    return broken


@pytest.fixture
def load(unlimited, tmp_path):
    return Traffic(unlimited, tmp_path).load


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
