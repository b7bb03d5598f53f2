"""Secrets are replaced under load, and no visitor notices; then the old ones open nothing."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from healthv1.secrets.kept import generated
from healthv1.secrets.vault import Vault
from tests.hosts.clinic import Clinic
from tests.hosts.traffic import NO_ERROR, Traffic, Visitor, without_rate_limits
from tests.hosts.world import quoted

ENTROPY = {"database_password": 32, "redis_password": 32, "jwt_secret": 64, "session_secret": 64, "master_key": 32}
STAGED, PROMOTED, RETIRED = "staged", "promoted", "retired"


def vault(world):
    found = world.running.openbao
    return Vault(address=found.address, path=world.name, mount=found.mount, token_file=found.token_file)


def step(world, *names, to):
    """Take each entry to the next step, as `healthv1 secrets rotate` does."""
    changed = {
        STAGED: lambda name: lambda entry: entry.staged(generated(ENTROPY[name])),
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


def applied(world, cwd):
    """Plan and apply; both say the same in every word, and nothing is left to do. Returns what was changed."""
    planned = world.json("plan", "sandbox", cwd=cwd)[1]
    code, made = world.json("apply", "sandbox", "--yes", cwd=cwd)
    assert code == 0, made["faults"]
    assert made["steps"] == planned["steps"]
    again = world.json("plan", "sandbox", cwd=cwd)[1]
    assert (again["steps"], again["faults"]) == ([], [])
    return {(change["action"], change["kind"], change["target"]) for one in made["steps"] for change in one["changes"]}


def database_lets_in(world, role, password, port, host=0):
    """Whether PostgreSQL (5432) or the pooler (6432) does. psql shares no code with what is tested."""
    login = (
        f"PGPASSWORD={quoted(password)} psql -XAtqw -h 127.0.0.1 -p {port} -U {role} -d health_v1_prod -c 'select 1'"
    )
    return world.shell(f"{login} 2>/dev/null || true", host).strip() == "1"


def redis_lets_in(world, password):
    return world.shell(f"REDISCLI_AUTH={quoted(password)} redis-cli ping 2>/dev/null || true").strip() == "PONG"


@pytest.fixture
def busy(broken, project, tmp_path):
    """The deployed host without rate limits, whose backend is put back as well."""
    with backend_put_back(broken):
        without_rate_limits(broken, project)
        yield SimpleNamespace(world=broken, project=project, traffic=Traffic(broken, tmp_path))


PAUSE = 50  # milliseconds: a load that leaves an apply some of the machine
RESTARTED = {("restart", "unit", f"health-v1-api@{port}.service") for port in (8080, 8081)}
ENV = ("update", "file", "/opt/health-v1/.env")
LISTED = {("update", "file", "/etc/pgbouncer/userlist.txt"), ("reload", "unit", "pgbouncer.service")}
KNOWN_TO_REDIS = {("update", "file", "/etc/redis/health-v1.acl"), ("reload", "unit", "redis-server.service")}
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


def test_five_secrets_are_replaced_under_load_and_no_request_fails(busy):
    world, names, old = busy.world, list(ENTROPY), dict(busy.world.kept)
    old_token, counts, changes = Clinic(world).token, {}, {}
    with Visitor(world) as visitor:
        for reached in (STAGED, PROMOTED, RETIRED):
            with busy.traffic.load(PAUSE) as counts[reached]:
                step(world, *names, to=reached)
                changes[reached] = applied(world, busy.project)
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
            told = {fault["where"].split(",")[0]: fault for fault in refused["faults"]}["host1"]
            assert (code, refused["steps"]) == (1, [])
            assert told["where"].endswith("#master_key")
            assert "the key that opens them is not in the backend" in told["what"]
            assert "healthv1 secrets restore" in told["hint"]
        value = {"value": generated(ENTROPY["master_key"])}
        deployed.openbao("POST", f"data/{name}", {"data": value})
        code, refused = deployed.json("plan", "sandbox")
        assert code == 1
        assert "encrypted under another key than the backend's" in refused["faults"][0]["what"]
    assert deployed.json("plan", "sandbox")[1]["steps"] == []
