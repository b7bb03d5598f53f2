"""The same deploys on the other Debian, and over two hosts."""

import json

import pytest

from healthv1.sandbox.lifecycle import Shape
from tests.hosts.world import World


@pytest.fixture(params=[Shape(suite="bookworm"), Shape(hosts=2)], ids=["bookworm", "two hosts"])
def shaped(request):
    with World("test-shape", request.param).for_a_while() as world:
        world.up()
        yield world


@pytest.mark.long
def test_a_deploy_converges_holds_and_serves(shaped):
    code, plan = shaped.json("plan", "sandbox")
    assert code == 2
    code, applied = shaped.json("apply", "sandbox", "--yes")
    assert code == 0, applied["faults"]
    planned = {(step["host"], step["component"], step["operation"]) for step in plan["steps"]}
    made = {(step["host"], step["component"], step["operation"]) for step in applied["steps"]}
    assert made == planned, "the plan and the apply differ"
    assert shaped.json("plan", "sandbox")[:1] == (0,)
    code, report = shaped.json("verify", "sandbox")
    assert code == 0, [one for one in report["findings"] if not one["holds"]]
    assert json.loads(shaped.curl().stdout)["status"] == "ready"
    if shaped.shape.hosts == 2:
        _only_the_database_host_has_data(shaped)


def _only_the_database_host_has_data(world):
    assert world.eye(0).service("postgresql").is_enabled
    assert not world.eye(0).package("nginx").is_installed
    assert not world.eye(1).package("postgresql").is_installed
    sessions = world.shell(
        "runuser -u postgres -- psql -XAtc 'select count(*) from pg_stat_ssl s join pg_stat_activity a "
        "using (pid) where a.client_addr is not null and not s.ssl'"
    )
    assert sessions.strip() == "0", "a connection between the hosts is not encrypted"
