"""Who may be taken down, and who may not: decided before anything is asked of that host."""

from dataclasses import replace

import pytest

from deploys.stack import Stack
from healthv1.errors import Refused
from healthv1.plan.members import DEPLOYED, Member, record_without
from healthv1.retire.choosing import Chosen, choose, refuse_data, refuse_others, refuse_too_early
from healthv1.retire.standing import uses_of
from tests.unit.healthv1.test_members import API, DB, EDGE, present, record

STACK = Stack(domain="api.example.com")


THERE = (present(DB, DB, API, EDGE),)


def chosen(name, parts=(), there=THERE, inventory=(DB, API)):
    return choose(name, parts, there, inventory)


def refused(*arguments, **options):
    with pytest.raises(Refused) as refusal:
        chosen(*arguments, **options)
    (fault,) = refusal.value.faults
    return f"{fault.what} {fault.hint}"


@pytest.mark.parametrize("name", ["edge1", EDGE.address])
def test_a_leaver_goes_by_its_name_or_its_address_and_goes_whole(name):
    found = chosen(name)
    assert (found.member, found.named, found.leaving) == (EDGE, False, DEPLOYED)


def test_an_unknown_name_is_answered_with_those_that_are_remembered():
    assert "edge1 (203.0.113.23)" in refused("egde1")
    assert "nobody" in refused("x", there=[present(DB, DB, API)])


def test_what_the_inventory_has_it_play_is_not_taken_down():
    assert "take it out of the inventory first" in refused("api1")
    assert "play api" in refused("api1", ("api",))
    assert "play database" in refused("db1", ("edge", "database"))


def test_a_part_that_a_host_of_the_inventory_left_is_taken_down_alone():
    both = replace(API, parts=("api", "edge"))
    found = chosen("api1", ("edge",), there=[present(DB, DB, both), present(API, DB, both)])
    assert (found.named, found.leaving, found.member.parts) == (True, {"edge"}, ("api", "edge"))


def test_a_host_of_the_inventory_that_plays_nothing_may_be_taken_down():
    watching = Member("mon1", "203.0.113.24", "", ("monitoring",))
    found = chosen("mon1", there=[present(watching)], inventory=(DB, watching))
    assert (found.named, found.leaving) == (True, DEPLOYED)


def test_a_leaver_is_not_taken_down_by_parts():
    assert "leave --part out" in refused("edge1", ("edge",))


def test_a_name_that_the_inventory_gave_to_another_is_told_apart_by_address():
    new = Member("edge1", "203.0.113.99", "", ("edge",))
    there = [present(DB, DB, EDGE), present(new, DB, EDGE, new)]
    assert EDGE.address in refused("edge1", there=there, inventory=(DB, new))
    assert chosen(EDGE.address, there=there, inventory=(DB, new)).member == EDGE
    older = replace(EDGE, address="203.0.113.50", private_address="")
    assert "give its address" in refused("edge1", there=[present(DB, DB, EDGE, older)])


def test_what_was_retired_is_found_again():
    there = [replace(present(DB), record=record_without(record(DB, API, EDGE), EDGE))]
    found = chosen("edge1", there=there)
    assert (found.member, found.retired) == (EDGE, True)


def test_data_goes_only_with_the_name_typed_again_and_with_the_database_elsewhere():
    leaving = Chosen(DB, named=False)
    refuse_data(leaving, "db1", ["db2"], has_database=True)
    for typed, others, words in (("db2", ["db2"], "type the host's name again"), ("db1", [], "may be the only one")):
        with pytest.raises(Refused, match=words):
            refuse_data(leaving, typed, others, has_database=True)
    refuse_data(Chosen(API, named=True, parts=("api",)), "api1", [], has_database=True)
    refuse_data(Chosen(EDGE, named=False), "edge1", [], has_database=False)


def test_who_is_to_play_its_part_instead_is_applied_to_first():
    new = Member("edge2", "203.0.113.99", "", ("edge",))
    leaving = Chosen(EDGE, named=False)
    refuse_too_early("production", leaving, [present(DB, DB, EDGE)])
    refuse_too_early("production", leaving, [present(DB, DB, EDGE), present(new, new, EDGE)])
    before = replace(new, parts=("api",))
    for there in (present(new), present(new, before, EDGE)):
        with pytest.raises(Refused, match="edge2, which is to play it now, was not applied to") as refusal:
            refuse_too_early("production", leaving, [present(DB, DB, EDGE), there])
        assert refusal.value.faults[0].hint == "healthv1 apply production, then retire it"


def test_a_host_that_another_environment_has_taken_over_is_not_ours():
    leaving = Chosen(EDGE, named=False)
    refuse_others(leaving, {}, "ours", "production")
    refuse_others(leaving, {"key": "ours"}, "ours", "production")
    for theirs in ({}, {"environment": "staging", **record(EDGE)}, {"environment": "production", **record(DB)}):
        with pytest.raises(Refused, match="It was last applied to"):
            refuse_others(leaving, {"key": "theirs", **theirs}, "ours", "production")
    rotated = {"key": "before", "environment": "production", **record(DB, EDGE)}
    refuse_others(leaving, rotated, "after", "production")


def test_what_still_serves_with_it_says_so_by_these_words():
    assert uses_of(Chosen(DB, named=False), STACK, [DB.private_address]) == [
        "host=10.20.0.20 port=5432",
        "@10.20.0.20:6379",
        "server 10.20.0.20:8080",
        "server 10.20.0.20:8081",
        '"10.20.0.20"',
    ]
    assert uses_of(Chosen(API, named=True, parts=("api",)), STACK, ["fd00::1"])[0] == "server [fd00::1]:8080"
    assert uses_of(Chosen(EDGE, named=True, parts=("edge",)), STACK, [EDGE.address]) == []
