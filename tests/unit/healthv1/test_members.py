"""Who was of an environment: by address, remembered by the others, told until it is retired."""

import json

import pytest

from deploys.this_host import PARTS
from healthv1.plan import Left, Plan, html, markdown, text
from healthv1.plan.drift import Drift, lines, metrics
from healthv1.plan.members import Member, Present, find_leavers, known_members, left, read, record_without
from tests.unit.plans import WRITE, plan_of

DB = Member("db1", "203.0.113.20", "10.20.0.20", ("database",), "admin")
API = Member("api1", "203.0.113.21", "10.20.0.21", ("api",), "admin")
EDGE = Member("edge1", "203.0.113.23", "10.20.0.23", ("edge",), "admin", 2222)


def record(*members):
    return {"schema": 1, "members": [one.as_json() for one in members]}


def present(member, *remembered, marks=None):
    return Present(member, record(*remembered) if remembered else {}, marks or {})


def test_what_is_written_is_what_is_read():
    assert read(json.loads(json.dumps(record(DB, API, EDGE)))) == [DB, API, EDGE]


@pytest.mark.parametrize(
    "found",
    [{}, {"members": None}, {"members": "x"}, {"members": {"db1": 3}}, {"members": [3, {}, {"name": "x"}, None]}],
)
def test_what_an_earlier_version_noted_or_nobody_can_read_is_nobody(found):
    assert read({"schema": 1, "key": "k", **found}) == []


def test_a_port_or_parts_that_are_none_make_no_member():
    assert read({"members": [DB.as_json() | {"ssh_port": "x"}, API.as_json() | {"parts": 3}]}) == []
    assert read({"members": [DB.as_json() | {"parts": ["database", "unheard-of"]}]}) == [DB]


def test_hosts_remember_each_other_and_nothing_is_new_the_second_time():
    first = known_members([present(DB), present(API)])
    assert first == (DB, API)
    assert known_members([present(DB, *first), present(API, *first)]) == first


def test_who_left_the_inventory_is_told_by_the_others():
    (told,) = left("production", [present(DB, DB, API, EDGE), present(API, DB, API)], [DB, API])
    assert (told.host, told.address, told.parts) == ("edge1", EDGE.address, ("edge",))
    assert told.what == (
        "edge1 (203.0.113.23) was of this environment and is not in the inventory any more:"
        " it goes on serving with its keys."
    )
    assert told.way_out == "healthv1 retire production edge1"


def test_a_host_that_is_only_left_out_of_a_run_has_not_left():
    assert left("production", [present(DB, DB, API, EDGE)], [DB, API, EDGE]) == ()


def test_the_same_name_at_another_address_is_another_host_and_told_by_its_address():
    new = Member("edge1", "203.0.113.99", "10.20.0.99", ("edge",))
    everybody = known_members([present(DB, DB, EDGE), present(new)])
    assert set(everybody) == {DB, EDGE, new}
    (told,) = left("production", [present(DB, *everybody), present(new, *everybody)], [DB, new])
    assert told.address == EDGE.address
    assert told.way_out.endswith(f"retire production {EDGE.address}")


@pytest.mark.parametrize(
    "now",
    [
        Member("gateway", EDGE.address, EDGE.private_address, ("edge",)),
        Member("edge1", "edge1.example.com", EDGE.private_address, ("edge",)),
        Member("edge1", EDGE.address, "10.20.0.77", ("edge",)),
        Member("edge1", EDGE.private_address, "", ("edge",)),
    ],
    ids=["another name", "reached by name", "another private address", "reached by the private one"],
)
def test_a_host_that_is_called_or_reached_otherwise_is_the_same(now):
    assert find_leavers([DB, EDGE], [DB, now]) == ()
    there = [present(DB, DB, EDGE), present(now)]
    assert left("production", there, [DB, now]) == ()
    assert set(known_members(there)) == {DB, now}


def test_loopback_is_nobodys_address():
    alone = Member("web1", "203.0.113.1", "127.0.0.1", PARTS)
    other = Member("web2", "203.0.113.2", "127.0.0.1", PARTS)
    assert find_leavers([alone], [other]) == (alone,)


def test_a_part_that_a_host_left_is_told_as_long_as_it_remembers_it():
    now = Member(API.name, API.address, API.private_address, ("api",), "admin")
    before = Member(API.name, API.address, API.private_address, ("api", "edge"), "admin")
    (told,) = left("production", [present(now, DB, before)], [DB, now])
    assert (told.host, told.parts) == ("api1", ("edge",))
    assert told.way_out == "healthv1 retire production api1 --part edge"
    assert known_members([present(now, DB, before)])[1].parts == ("api", "edge"), "it is not lost by another apply"


def test_on_a_host_of_an_earlier_version_its_marks_tell_what_it_played():
    marks = {"nginx": "nginx", "pgbouncer": "pgbouncer", "firewall": "ufw", "lineage": "api.example.com"}
    assert present(API, marks=marks).left == ("edge",)
    assert present(API, API, marks=marks).left == (), "what it remembers itself counts"
    assert present(API, marks={"unheard-of": "x"}).left == ()


def test_a_host_that_was_retired_and_comes_back_has_left_nothing_behind():
    retired = {"schema": 1, "retired": [EDGE.as_json()]}
    now = Member(EDGE.name, EDGE.address, EDGE.private_address, ("api",))
    assert Present(now, retired, {"nginx": "nginx"}).left == ()


def test_monitoring_leaves_nothing_behind():
    before = Member(DB.name, DB.address, DB.private_address, ("database", "monitoring"))
    assert present(DB, before).left == ()


def test_what_was_retired_is_told_no_more_but_known_for_a_second_run():
    after = record_without(record(DB, API, EDGE), EDGE)
    assert [one.name for one in read(after)] == ["db1", "api1"]
    assert read(after, "retired") == [EDGE]
    assert record_without(after, EDGE) == after
    assert left("production", [Present(DB, after, {})], [DB, API]) == ()


def test_of_a_host_that_stays_only_the_part_is_forgotten():
    both = Member(API.name, API.address, API.private_address, ("api", "edge"), "admin")
    after = record_without(record(DB, both), both, ("edge",))
    assert read(after) == [DB, API]
    assert read(after, "retired") == []


LEFT = Left("edge1", EDGE.address, ("edge",), "edge1 was of <it> `and` left.", "healthv1 retire production edge1")


def test_every_form_of_a_plan_tells_it_also_where_nothing_is_to_be_done():
    for steps in ((), (WRITE,)):
        plan = Plan(**{**vars(plan_of(*steps)), "left": (LEFT,)})
        shown = "\n".join(line.text for line in text.lines(plan))
        assert "Left behind, and not touched by an apply:\n  edge1 was of <it> `and` left.\n" in shown
        for form in (shown, markdown.document(plan), html.document(plan)):
            assert LEFT.way_out in form
        assert "edge1 was of <it> `and` left." in markdown.document(plan), "in a fence nothing is mark-up"
        assert "edge1 was of &lt;it&gt;" in html.document(plan)
        assert Plan.from_json(json.loads(json.dumps(plan.as_json()))) == plan


def test_a_document_without_it_is_read_as_before():
    document = plan_of(WRITE).as_json()
    del document["left"]
    assert Plan.from_json(document).left == ()


def test_drift_tells_it_and_counts_it():
    found = Drift("production", ("db1",), {}, (), (), (LEFT,))
    assert "  edge1 was of <it> `and` left." in list(lines(found))
    assert 'healthv1_drift_left{environment="production"} 1.0' in metrics(found, 0)
    assert found.as_json()["left"][0]["way_out"] == LEFT.way_out
