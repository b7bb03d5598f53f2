"""A host that leaves keeps its data unless they are to go, and whatever is not ours goes on."""

from types import SimpleNamespace

import pytest
from pyinfra.context import ctx_host

from deploys import retirement
from deploys.backup.checks import DRILL_TIMER, EXPORT_TIMER, TIMERS
from deploys.facts.machine import MachineState
from deploys.facts.marks import Marks
from deploys.facts.named import ConfiguredPaths
from deploys.facts.probe import Succeeds
from deploys.nginx.beside import MOUNT
from deploys.nginx.checks import WATCH
from deploys.operations.retirement import remove_path
from deploys.retirement import HAS_OTHER_SITES, Retirement, retire
from deploys.stack import Stack
from tests.unit.asked import Host
from tests.unit.known import Known

STACK = Stack(domain="api.example.com")
ALL = ("database", "api", "edge")
OURS = {"cluster": "health", "redis": "redis-server@health-v1", "pgbouncer": "health-v1-pgbouncer", "nginx": "nginx"}
NAMED = {"aclfile": ["/etc/redis/users.acl"], "dir": ["/var/lib/redis/health"], "auth_file": ["/etc/pgbouncer/u.txt"]}
MACHINE = SimpleNamespace(os="debian", release="13")


@pytest.fixture
def leave(monkeypatch):
    """Return a function that tells what the retirement would do: which units stop, which paths and data go."""

    def run(*, parts=ALL, marks=OURS, data=False, others=False):
        stopped, gone, changes = [], [], []
        monkeypatch.setattr(retirement, "stop_unit", lambda unit, **_: stopped.append(unit))
        monkeypatch.setattr(retirement, "remove_path", lambda path, kind="file", **_: gone.append((kind, path)))
        monkeypatch.setattr(retirement, "absent", lambda path, **_: gone.append(("ours", path)))
        monkeypatch.setattr(retirement, "ensure", lambda change, **_: changes.append(change))
        for name in ("stop_other_instances", "barrier"):
            monkeypatch.setattr(retirement, name, lambda *_, **__: None)
        for name in ("remove_edge", "remove_api", "remove_backup", "remove_drills", "remove_redis", "remove_database"):
            deploy = getattr(retirement, name)
            monkeypatch.setattr(retirement, name, getattr(deploy, "_inner", deploy))
        facts = {
            Marks: marks,
            MachineState: MACHINE,
            Succeeds: lambda test: others and test == HAS_OTHER_SITES,
            ConfiguredPaths: lambda option, **_: NAMED[option],
        }
        ctx_host.set(Host(facts, {"stack": STACK, "secrets": Known()}))
        try:
            retire(Retirement(parts, entire_host=False, data=data))
        finally:
            ctx_host.reset()
        lost = [path for kind, path in gone if kind == "data"]
        lost += [change.target for change in changes if change.kind == "data"]
        return SimpleNamespace(stopped=stopped, gone=gone, lost=lost)

    return run


def test_no_data_go_with_a_host_that_leaves_unless_they_are_to_go(leave):
    assert leave().lost == []
    kept = leave(data=True).lost
    assert {f"{STACK.home}/data", "/var/lib/redis/health/appendonlydir", "/var/lib/redis/health/dump.rdb"} <= set(kept)
    assert "cluster 17/health" in kept


def test_without_a_mark_of_ours_no_service_stops(leave):
    found = leave(marks={}, data=True)
    restoring = "health-v1-restore.service"
    assert found.stopped == [
        MOUNT,
        WATCH,
        *TIMERS,
        EXPORT_TIMER,
        DRILL_TIMER,
        restoring,
    ]  # of names that are ours alone
    assert set(found.lost) == {f"{STACK.home}/{name}" for name in ("data", "logs", "backups")}


def test_a_database_host_that_leaves_keeps_no_key_to_its_backups(leave):
    assert ("key", "/etc/health-v1/pgbackrest.d") in leave().gone
    assert ("key", "/etc/health-v1/pgbackrest.d") not in leave(parts=("api",)).gone


def test_the_cluster_that_goes_is_the_marked_one(leave):
    assert "cluster 17/main" in leave(marks={"cluster": "main"}, data=True).lost


def test_only_the_parts_that_a_host_leaves_are_taken_down(leave):
    assert leave(parts=("api",)).stopped == ["health-v1-pgbouncer.service"]


def test_an_nginx_that_serves_others_goes_on(leave):
    assert "nginx.service" in leave().stopped
    assert "nginx.service" not in leave(others=True).stopped


def test_what_lies_beside_a_secret_under_a_similar_name_stays(converge, tmp_path):
    names = (".env", ".env.owner", ".env.example", ".envrc", ".env.new.bak", "x.env", ".healthv1.kept")
    for name in names:
        (tmp_path / name).write_text("x")
    run = converge(lambda: remove_path(name="Remove", path=str(tmp_path / ".env")))
    assert (run.faults, len(run.made)) == ((), 1)
    assert {path.name for path in tmp_path.iterdir()} == set(names) - {".env"}


def test_a_host_for_drills_that_leaves_keeps_no_key_and_one_with_a_database_drills_on(leave):
    found = leave(parts=("drill",), marks={"drill": "0123456789ab 17 health"})
    assert DRILL_TIMER in found.stopped
    assert {("key", "/etc/health-v1/pgbackrest.d"), ("ours", "/var/lib/healthv1/ours/drill")} <= set(found.gone)
    assert leave(parts=("drill",), marks={**OURS, "drill": "0123456789ab 17 health"}).stopped == []
    assert leave(parts=("drill",), marks={}).stopped == []
