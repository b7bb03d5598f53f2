"""An apply changes what was seen and agreed to, once, and while nobody else does.

The hosts are folders of this machine; their locks and memories are real.
"""

import json
import re
from dataclasses import replace

import pytest

from deploys.operations.barrier import barrier
from deploys.operations.change import Change
from deploys.operations.shell import ensure
from deploys.paths import FOLDER
from healthv1.commands import lock
from healthv1.errors import HostError, LockError, Refused
from healthv1.lock.acquire import release_all, take
from healthv1.lock.holder import HeldBySomebody, LockClaim, Terms
from healthv1.plan.saved import now, read
from healthv1.rollout import saved_plans
from tests.unit.healthv1.hosts_here import ENVIRONMENT, Hosts

SITE = "the site"
BELA = LockClaim(ENVIRONMENT, "apply", 60, "a new certificate", "bela@ci")


def deployed(folder):
    """Have the site, and a copy of the lock as it was while that was written."""
    path = folder / "site"
    ensure(
        name="Write the site",
        change=Change("file", str(path), "create"),
        test=f"grep -qx '{SITE}' {path}",
        command=f"echo '{SITE}' > {path}; cp {FOLDER}/lock {folder}/seen",
        was=f"cat {path}",
    )
    barrier("edge")


@pytest.fixture
def hosts(tmp_path, monkeypatch):
    return Hosts(tmp_path, deployed, monkeypatch)


def _untouched(hosts):
    return not any((hosts[name] / "seen").exists() for name in hosts.names)


def test_a_host_that_somebody_changed_after_it_was_agreed_to_is_not_applied_to_nor_any_other(hosts):
    def agree(_plan):
        (hosts["web2"] / "site").write_text("somebody else's")
        return True

    with pytest.raises(Refused, match="is not as it was"):
        hosts.apply(agree=agree)
    assert _untouched(hosts)
    assert (hosts["web2"] / "site").read_text() == "somebody else's"
    assert set(hosts.held().values()) == {None}


def test_what_another_operator_changed_while_we_waited_for_the_lock_is_seen_before_it_is_overwritten(hosts):
    def agree(_plan):
        take(hosts.places(), BELA)
        return True

    def note(sentence):
        if "Waiting for bela@ci" in sentence:
            (hosts["web1"] / "site").write_text("bela's")
            release_all(hosts.places(), BELA)

    with pytest.raises(Refused, match="is not as it was"):
        hosts.apply(agree=agree, note=note, terms=Terms(wait=20))
    assert _untouched(hosts)
    assert (hosts["web1"] / "site").read_text() == "bela's"


def test_while_an_apply_changes_hosts_it_holds_the_lock_of_all_of_them_and_gives_it_back(hosts):
    asked = []

    def agree(_plan):
        asked.append(hosts.held())
        return True

    done = hosts.apply(agree=agree, terms=Terms(reason="the spring release"))
    assert (done.faults, done.changes) == ((), 2)
    assert [(hosts[name] / "site").read_text().strip() for name in hosts.names] == [SITE, SITE]
    seen = [(hosts[name] / "seen").read_text() for name in hosts.names]
    assert all("reason=the spring release\n" in text for text in seen)
    assert len({re.search("token=(.*)", text)[1] for text in seen}) == 1
    assert [*asked, hosts.held()] == [{"web1": None, "web2": None}] * 2


@pytest.mark.parametrize("elsewhere", ["web1", "web2"])
def test_while_somebody_else_deploys_to_any_host_of_the_environment_nothing_is_changed(hosts, elsewhere):
    take([hosts.place(elsewhere)], BELA)
    with pytest.raises(HeldBySomebody, match="bela@ci"):
        hosts.apply(limit=("web1",))
    assert _untouched(hosts)
    assert {name for name, held in hosts.held().items() if held} == {elsewhere}


def _saved(hosts, limit=()):
    path = hosts.folder / "plan.json"
    path.write_text(hosts.plan(limit).text())
    return read(path)


def test_a_saved_plan_is_applied_once_however_like_then_its_host_is_by_now(hosts):
    plan = _saved(hosts, ("web1",))
    assert hosts.apply(saved=plan, limit=plan.limit).changes == 1
    (hosts["web1"] / "site").unlink()
    with pytest.raises(Refused, match=r"web1: This plan was applied already, at .* by "):
        hosts.apply(saved=plan, limit=plan.limit)
    assert not (hosts["web1"] / "site").exists()


def test_a_saved_plan_that_a_single_host_remembers_is_applied_to_none_also_after_other_applies(hosts):
    plan = _saved(hosts)
    hosts.remember("web2", plans=[{"id": plan.id, "at": "2026-01-01T00:00:00+00:00", "by": "bela@ci"}])
    assert hosts.apply(limit=("web2",)).changes == 1
    (hosts["web2"] / "site").unlink()
    (hosts["web2"] / "seen").unlink()
    with pytest.raises(Refused, match="web2: This plan was applied already"):
        hosts.apply(saved=plan)
    assert _untouched(hosts)


def test_a_saved_plan_of_hosts_that_moved_is_refused(hosts):
    plan = _saved(hosts)
    (hosts["web2"] / "site").write_text("somebody else's")
    with pytest.raises(Refused, match=r"web2: .* is not as it was"):
        hosts.apply(saved=plan)
    assert _untouched(hosts)


def test_a_saved_plan_that_expires_before_its_turn_is_refused(hosts, monkeypatch):
    plan = _saved(hosts)

    def agree(_plan):
        monkeypatch.setattr(saved_plans, "now", lambda: plan.expires)
        return True

    with pytest.raises(Refused, match="before its turn came"):
        hosts.apply(saved=plan, agree=agree)
    assert _untouched(hosts)


@pytest.mark.parametrize(
    ("altered", "limit", "said"),
    [
        ({"by": "eve@desk"}, (), "It was altered after it was saved"),
        ({"limit": ("web1",)}, (), "It was altered after it was saved"),
        ({"expires": now()}, (), "It expired at"),
        ({}, ("web1",), "The plan says itself which hosts it is for"),
    ],
    ids=["altered", "for other hosts", "expired", "with another limit"],
)
def test_a_saved_plan_that_is_not_to_be_believed_is_refused_before_any_host_is_asked(
    hosts, monkeypatch, altered, limit, said
):
    plan = _saved(hosts)
    hosts.away |= {*hosts.names}
    monkeypatch.setattr(saved_plans, "inventory_of", hosts.inventory)
    path = hosts.folder / "plan.json"
    assert saved_plans.read_trusted(path, ()) == plan
    path.write_text(replace(plan, **altered).text())
    with pytest.raises(Refused, match=said):
        saved_plans.read_trusted(path, limit)


def test_an_apply_that_failed_is_remembered_as_no_apply_and_who_is_of_the_environment_all_the_same(hosts):
    plan = _saved(hosts)
    (hosts["web2"] / "seen/lock").mkdir(parents=True)  # in the way of the copy
    done = hosts.apply(saved=plan)
    assert [fault.where for fault in done.faults] == ["web2: "]
    for name in hosts.names:
        record = json.loads((hosts.kept(name) / "applied.json").read_text())
        assert set(record) == {"schema", "environment", "members"}
        assert [one["name"] for one in record["members"]] == ["web1", "web2"]


def test_where_one_host_does_not_answer_no_other_is_changed(hosts):
    hosts.away.add("web2")
    with pytest.raises(HostError, match="Nothing was changed on any host"):
        hosts.apply()
    assert _untouched(hosts)


def test_a_host_that_is_gone_once_it_was_agreed_to_stops_the_apply_before_its_first_change(hosts):
    def agree(_plan):
        hosts.away.add("web2")
        return True

    with pytest.raises(HostError, match="web2"):
        hosts.apply(agree=agree)
    assert _untouched(hosts)
    assert hosts.held() == {"web1": None, "web2": None}


def test_what_nobody_agreed_to_is_not_done(hosts):
    assert hosts.apply(agree=lambda _plan: False).declined
    assert _untouched(hosts)


def test_a_lock_is_released_only_for_the_holder_who_was_named(hosts):
    take(hosts.places(), BELA)
    with pytest.raises(LockError, match="bela@ci holds it"):
        lock.release(ENVIRONMENT, lambda held: held.holder == "anna@laptop")
    assert {held.token for held in hosts.held().values()} == {BELA.token}
    lock.release(ENVIRONMENT, lambda held: held.holder == "bela@ci")
    assert set(hosts.held().values()) == {None}


def test_who_took_the_lock_while_somebody_was_asked_whether_to_release_another_keeps_it(hosts):
    anna = LockClaim(ENVIRONMENT, "apply", 60, "", "anna@laptop")
    take(hosts.places(), BELA)

    def confirmed(_held):
        release_all(hosts.places(), BELA)
        take(hosts.places(), anna)
        return True

    lock.release(ENVIRONMENT, confirmed)
    assert {held.token for held in hosts.held().values()} == {anna.token}
