"""Secrets are replaced under load, and no visitor notices; then the old ones open nothing."""

import subprocess
import sys
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from healthv1.secrets.backend import generate
from healthv1.secrets.vault import Token, Vault
from tests.hosts.clinic import Clinic
from tests.hosts.matrix import unlock
from tests.hosts.traffic import NO_ERROR, Traffic, Visitor, without_rate_limits
from tests.hosts.world import quoted

ENTROPY = {"database_password": 32, "redis_password": 32, "jwt_secret": 64, "session_secret": 64, "master_key": 32}
STAGED, PROMOTED, RETIRED = "staged", "promoted", "retired"


def vault(world):
    found = world.running.openbao
    return Vault(address=found.address, path=world.name, mount=found.mount, auth=Token(found.token_file))


def step(world, *names, to):
    """Take each entry to the next step, as `healthv1 secrets rotate` does."""
    changed = {
        STAGED: lambda name: lambda entry: entry.staged(generate(ENTROPY[name])),
        PROMOTED: lambda _: lambda entry: entry.promoted(),
        RETIRED: lambda name: lambda entry: entry.retired(keep=name == "master_key"),
        "settled": lambda _: lambda entry: entry.settled(),
    }[to]
    for name in names:
        vault(world).change(name, changed(name))


@contextmanager
def backend_put_back(world):
    """Keep what the backend holds: hosts are put back to a snapshot that knows these values."""
    names = world.openbao("LIST", f"metadata/{world.name}").json()["data"]["keys"]
    held = {name: world.openbao("GET", f"data/{world.name}/{name}").json()["data"]["data"] for name in names}
    try:
        yield
    finally:
        for name, document in held.items():
            world.openbao("POST", f"data/{world.name}/{name}", {"data": document})


def applied(driver, project):
    """Apply; what was planned is made, and nothing is left to do. Returns what was changed."""
    outcome = driver.apply(project)
    outcome.assert_faithful()
    return {(change["action"], change["kind"], change["target"]) for *_, change in outcome.made}


def database_lets_in(world, role, password, port, host=0):
    """Whether PostgreSQL (5432) or the pooler (6432) does. psql shares no code with what is tested."""
    login = (
        f"PGPASSWORD={quoted(password)} psql -XAtqw -h 127.0.0.1 -p {port} -U {role} -d health_v1_prod -c 'select 1'"
    )
    return world.shell(f"{login} 2>/dev/null || true", host).strip() == "1"


def redis_lets_in(world, password):
    return world.shell(f"REDISCLI_AUTH={quoted(password)} redis-cli ping 2>/dev/null || true").strip() == "PONG"


@pytest.fixture
def busy(broken, driver, project, tmp_path):
    """The deployed host without rate limits, whose backend is put back as well."""
    with backend_put_back(broken):
        without_rate_limits(broken, project)
        yield SimpleNamespace(world=broken, driver=driver, project=project, traffic=Traffic(broken, tmp_path))


PAUSE = 50  # milliseconds: a load that leaves an apply some of the machine
RESTARTED = {("restart", "unit", f"health-v1-api@{port}.service") for port in (8080, 8081)}
ENV = ("update", "file", "/opt/health-v1/.env")
LISTED = {
    ("update", "file", "/etc/pgbouncer/health-v1-userlist.txt"),
    ("reload", "unit", "health-v1-pgbouncer.service"),
}
KNOWN_TO_REDIS = {("update", "file", "/etc/redis/health-v1.acl"), ("reload", "unit", "redis-server@health-v1.service")}
CHANGES = {
    STAGED: {("create", "role", "health_user_b"), ENV, *RESTARTED, *LISTED, *KNOWN_TO_REDIS},
    PROMOTED: {
        ("update", "file", "/var/lib/health-v1/redis-probe"),
        ("rewrap", "key", "health_v1_prod: data keys"),
        ENV,
        *RESTARTED,
    },
    RETIRED: {("remove", "role", "health_user_a"), ENV, *RESTARTED, *LISTED, *KNOWN_TO_REDIS},
}


@pytest.mark.long(380)  # with the deployed host, which it is the first to need
def test_five_secrets_are_replaced_under_load_and_no_request_fails(busy):
    world, names, old = busy.world, list(ENTROPY), dict(busy.world.kept)
    old_token, counts, changes = Clinic(world).token, {}, {}
    with Visitor(world) as visitor:
        for reached in (STAGED, PROMOTED, RETIRED):
            with busy.traffic.load(PAUSE) as counts[reached]:
                step(world, *names, to=reached)
                changes[reached] = applied(busy.driver, busy.project)
    step(world, *names, to="settled")
    assert changes == CHANGES
    assert {reached: counted.pop("answers") > 200 for reached, counted in counts.items()} == dict.fromkeys(counts, True)
    assert counts == dict.fromkeys(counts, NO_ERROR)
    assert visitor.failures == []
    assert visitor.visits > 10
    assert world.json("plan", "sandbox", cwd=busy.project)[1]["steps"] == []
    _, report = world.json("verify", "sandbox", cwd=busy.project)
    assert [one for one in report["findings"] if not one["holds"] and one["component"] != "outside"] == []
    _the_old_ones_open_nothing(world, old, old_token)


@pytest.mark.long(180)
def test_a_rotation_that_is_killed_at_each_step_is_finished_by_the_same_command_once(busy):
    world, old = busy.world, dict(busy.world.kept)
    rotate = ("secrets", "rotate", "sandbox", "database_password", "redis_password", "--yes")
    with Visitor(world) as visitor, busy.traffic.load(PAUSE) as counted:
        for reached, seconds in ((STAGED, 1), (PROMOTED, 5), (RETIRED, 3)):
            _killed_at(world, reached, seconds, rotate, busy.project)
        code, done = world.json(*rotate, cwd=busy.project)
    assert (code, done["done"], done["waiting"]) == (0, {"database_password": 2, "redis_password": 2}, {})
    assert counted.pop("answers") > 200
    assert counted == NO_ERROR
    assert visitor.failures == []
    for name in done["done"]:
        document = world.openbao("GET", f"data/{world.name}/{name}").json()["data"]["data"]
        assert (document["active"], list(document["versions"]), document["step"]) == (2, ["2"], "settled")
    assert world.json("plan", "sandbox", cwd=busy.project)[1]["steps"] == []
    report = world.json("secrets", "check", "sandbox", cwd=busy.project)[1]
    assert [one for one in report["findings"] if not one["holds"]] == []
    assert not redis_lets_in(world, old["redis_password"])
    for port in (5432, 6432):
        assert not database_lets_in(world, "health_user_a", old["database_password"], port)


def _killed_at(world, reached, seconds, command, cwd):
    """Kill the rotation so long after the backend recorded this step of both, somewhere in its apply."""
    argv = [sys.executable, "-m", "healthv1", *command]
    with subprocess.Popen(argv, cwd=cwd, env=world.environment, stderr=subprocess.DEVNULL) as process:
        names = command[3:5]
        until = time.monotonic() + 120
        while {vault(world).entry(name).step for name in names} != {reached}:
            assert process.poll() is None, f"it ended before it was {reached}"
            assert time.monotonic() < until
            time.sleep(0.2)
        time.sleep(seconds)
        process.kill()
    unlock(world)


def test_what_holds_of_secrets_is_found_not_to_hold_when_it_does_not(deployed):
    """The backend says one thing and the hosts another: whoever checks hears which."""
    with backend_put_back(deployed):
        for name in ("redis_password", "database_password", "verification_password"):
            vault(deployed).change(name, lambda entry: entry.replaced(generate(32)).settled())
        code, report = deployed.json("secrets", "check", "sandbox")
        assert code == 1
        broken = {one["component"] for one in report["findings"] if not one["holds"]}
        assert broken == {"redis_password", "database_password", "verification_password"}


@pytest.mark.long(60)
def test_data_keys_are_renewed_while_visitors_are_served(deployed):
    clinic = Clinic(deployed)
    with clinic.patient() as row:
        before = int(clinic.sql("SELECT max(id) FROM health.data_keys"))
        deployed.must("secrets", "rotate", "sandbox", "data_keys", "--yes")
        assert int(clinic.sql("SELECT max(id) FROM health.data_keys")) == before + 1
        assert clinic.sql(f"SELECT count(*) FROM health.patients WHERE key_id <= {before}") == "0"
        assert clinic.ask("GET", f"/v1/patients/{row}")[0] == 200


def _the_old_ones_open_nothing(world, old, old_token):
    new = world.kept
    for port in (5432, 6432):
        assert database_lets_in(world, "health_user_b", new["database_password"], port)
        for role in ("health_user_a", "health_user_b", "health_user"):
            assert not database_lets_in(world, role, old["database_password"], port), (role, port)
    assert redis_lets_in(world, new["redis_password"])
    assert not redis_lets_in(world, old["redis_password"])
    clinic = Clinic(world)
    assert clinic.ask("GET", "/v1/patients?limit=1")[0] == 200
    clinic.token = old_token
    assert clinic.ask("GET", "/v1/patients?limit=1")[0] == 401
    env = world.shell("cat /opt/health-v1/.env")
    assert "ALSO_ACCEPTED" not in env
    assert not [name for name in ENTROPY if old[name] in env]


def test_a_master_key_that_does_not_open_what_is_stored_is_refused_before_anything_changes(deployed):
    name = f"{deployed.name}/master_key"
    with backend_put_back(deployed):
        deployed.openbao("DELETE", f"metadata/{name}")
        for command in (("plan", "sandbox"), ("apply", "sandbox", "--yes")):
            code, refused = deployed.json(*command)
            told = [fault for fault in refused["faults"] if fault["where"].split(",")[0] == "host1"]
            assert (code, refused.get("steps", [])) == (1, [])
            assert all(fault["where"].endswith("#master_key") for fault in told)
            assert any("the key that opens them is not in the backend" in fault["what"] for fault in told)
            assert all("healthv1 secrets restore" in fault["hint"] for fault in told)
        value = {"value": generate(ENTROPY["master_key"])}
        deployed.openbao("POST", f"data/{name}", {"data": value})
        code, refused = deployed.json("plan", "sandbox")
        assert code == 1
        assert "encrypted under another key than the backend's" in refused["faults"][0]["what"]
    assert deployed.json("plan", "sandbox")[1]["steps"] == []
