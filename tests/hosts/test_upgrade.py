"""A host that an earlier version deployed is ours: it keeps its rows, sessions, releases, names and places."""

import json
import re
import signal
import subprocess
import sys

import pytest

from healthv1.sandbox.snapshots import reset, snapshot, snapshot_names
from tests.hosts import earlier
from tests.hosts.clinic import Clinic
from tests.hosts.driven import Driver
from tests.hosts.matrix import at_rest, unlock
from tests.hosts.world import World

DEPLOYED = f"deployed-by-{earlier.REVISION}"
ROWS = ("patients", "data_keys", "audit_events", "organizations")
"""Tables whose rows only become more: what a login or a verification adds is no loss."""
UNITS = ("postgresql@17-main", "redis-server", "pgbouncer", "health-v1-api@8080", "health-v1-api@8081", "nginx")
LASTING = ("redis-server",)
"""Units that hold sessions, and that nothing of this version restarts. PostgreSQL restarts once, to archive its WAL."""


@pytest.fixture
def earlier_host():
    """A host that the earlier version deployed, with patients and sessions on it. The snapshot outlives the test."""
    world = World("test-earlier")
    world.up()
    if DEPLOYED in snapshot_names(world.sandbox):
        reset(world.sandbox, DEPLOYED)
    else:
        earlier.apply(world)
        snapshot(world.sandbox, DEPLOYED)
    yield world
    world.down()


def _rows(clinic):
    return {table: set(clinic.sql(f"select t::text from health.{table} t").splitlines()) for table in ROWS}


def _places(world):
    """Return the lines of what has to stay where it is: releases, the certificate, who owns what."""
    listed = "cd /opt/health-v1; md5sum releases/*/COMPLETE; stat -c '%n %U %a' data logs"
    lineages = "ls /etc/letsencrypt/live; openssl x509 -serial -noout -in /etc/nginx/tls/health-v1.pem"
    return set(world.shell(f"{listed}; {lineages}; ls /etc/postgresql/17; id health-v1").splitlines())


def _begun(world):
    return world.shell(f"systemctl show -p ActiveEnterTimestampMonotonic --value {' '.join(LASTING)}").split()


def _session(clinic):
    status, body = clinic.login("verification", clinic.world.kept["verification_password"])
    assert status == 200, body
    return json.loads(body)


def _asks(clinic, session):
    return clinic._curl("GET", "/v1/patients", None, "-H", f"Authorization: Bearer {session['access_token']}")[0]


def _applied_until(world, changes):
    """Start an apply, and kill it once it has made so many changes."""
    process = subprocess.Popen(
        [sys.executable, "-m", "healthv1", "apply", "sandbox", "--yes"],
        env=world.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = []
    for line in process.stderr:
        said.append(line)
        changes -= bool(re.search(r"  host1  \w", line))
        if not changes:
            break
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it had ended before it was killed:\n" + "".join(said)
    at_rest(world)
    unlock(world)


@pytest.mark.long(240)
def test_an_upgrade_that_is_killed_amid_keeps_every_row_session_and_release(earlier_host):
    clinic = Clinic(earlier_host)
    patients = [clinic.patient() for _ in range(3)]
    for patient in patients:
        patient.__enter__()  # and stays
    session, ended = _session(clinic), _session(clinic)
    authorized = ("-H", f"Authorization: Bearer {ended['access_token']}")
    assert clinic._curl("POST", "/v1/auth/logout", None, *authorized)[0] == 204
    assert (_asks(clinic, session), _asks(clinic, ended)) == (200, 401)
    rows, places, begun = _rows(clinic), _places(earlier_host), _begun(earlier_host)
    assert len(rows["patients"]) >= 3

    _applied_until(earlier_host, 4)
    with Driver(earlier_host) as driver:
        outcome = driver.apply()
        outcome.assert_faithful()
    code, report = earlier_host.json("verify", "sandbox")
    assert code == 0, [one for one in report["findings"] if not one["holds"]]

    now = _rows(clinic)
    assert {table: rows[table] - now[table] for table in ROWS} == {table: set() for table in ROWS}
    assert (_asks(clinic, session), _asks(clinic, ended)) == (200, 401), "sessions live on, and ended ones stay ended"
    body = json.dumps({"refresh_token": session["refresh_token"]})
    assert clinic._curl("POST", "/v1/auth/refresh", body)[0] == 200
    assert places - _places(earlier_host) == set()
    assert earlier_host.shell(f"systemctl is-active {' '.join(UNITS)}").split() == ["active"] * len(UNITS)
    assert _begun(earlier_host) == begun, "what holds data and sessions was not interrupted"

    # A release that was kept starts with the files as this version has them.
    kept = "$(ls /opt/health-v1/releases | grep -v $(basename $(readlink /opt/health-v1/current)))"
    earlier_host.shell(f"ln -sfn releases/{kept} /opt/health-v1/current; systemctl restart health-v1-api@8081")
    assert '"ready"' in earlier_host.shell("curl -fsS 127.0.0.1:8081/health/ready")
    assert earlier_host.shell("stat -c %U /opt/health-v1/.env") == "root\n"
