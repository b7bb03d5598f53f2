"""Hosts are changed a few at a time, and nothing is begun behind one that failed or is not whole.

The hosts are folders of this machine: their operations and claims are run for real.
"""

from types import SimpleNamespace

import pyinfra
import pytest
from pyinfra.api.config import Config
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State, StateStage
from pyinfra.connectors.local import LocalConnector
from pyinfra.context import ctx_host, ctx_inventory, ctx_state

from deploys.component import Check
from deploys.operations.barrier import barrier
from deploys.operations.change import Change
from deploys.operations.claims import claim
from deploys.operations.shell import ensure
from deploys.rollout import Rollout
from healthv1.hosts.session import Session
from healthv1.rollout import planner, stages
from healthv1.rollout.stages import batches

SETTINGS = Rollout(canary=1, at_once=2, settle=0)


class AsMe(LocalConnector):
    """A host that is this machine, without sudo."""

    def run_shell_command(self, *args, **arguments):
        return super().run_shell_command(*args, **{**arguments, "_sudo": False})


class Heard:
    def __init__(self):
        self.events = []

    def stage_begun(self, stage, operations):
        self.events.append(("begun", stage, tuple(operations)))

    def started(self, host, stage, component, sentence):
        pass

    def ended(self, *names, changed):
        if changed:
            host, *_, sentence = names
            self.events.append(("changed", host, sentence))

    def trying(self, stage, claims):
        self.events.append(("tried", stage, dict(claims)))

    def stage_ended(self, stage):
        self.events.append(("ended", stage))

    def changed(self):
        return [event[1:] for event in self.events if event[0] == "changed"]

    def tried(self):
        return [event[1:] for event in self.events if event[0] == "tried"]


class Hosts:
    """Hosts with a folder each, on which `body` is deployed."""

    def __init__(self, folder, body):
        self.folder, self.body = folder, body

    def apply(self, *names, settings=SETTINGS, unproven=(), stop_after=None):
        """Return what came of it and what was heard. `stop_after` is the sentence at which somebody stops it."""
        for name in names:
            (self.folder / name).mkdir(exist_ok=True)
        pyinfra.is_cli = True
        state = State(check_for_changes=False)
        ctx_state.set(state)
        inventory = Inventory(([(name, {"rollout": settings}) for name in names], {}))
        for host in inventory:
            host.connector_cls = AsMe
        state.init(inventory, Config(FAIL_PERCENT=0))
        ctx_inventory.set(inventory)
        state.active_hosts.update(inventory)
        state.activated_hosts.update(inventory)
        session, heard = Session("test", state), Heard()
        try:
            state.set_stage(StateStage.Connect)
            session.on_each(lambda host: host.connect())
            state.set_stage(StateStage.Prepare)
            session.on_each(lambda _: self.body(self.folder / ctx_host.get().name))
            plan = planner.plan(session)
            assert not plan.faults

            def stopping():
                return any(event[-1] == stop_after for event in heard.events)

            outcome = stages.apply(session, plan, heard, stopping=stopping, unproven=unproven)
        finally:
            ctx_state.reset()
            ctx_inventory.reset()
        return SimpleNamespace(outcome=outcome, heard=heard, standings=[str(one) for one in outcome.standings])


def make(path):
    ensure(name=path.name, change=Change("file", str(path), "create"), test=f"test -e {path}", command=f"touch {path}")


def whole(folder):
    """Return a claim that holds unless `folder` has something broken in it."""
    return Check("It is whole", f"ls {folder}; test ! -e {folder}/broken", "mend it")


def two_stages(folder):
    make(folder / "first")
    make(folder / "second")
    claim("", [whole(folder)])
    barrier("early")
    make(folder / "third")
    barrier("late")


@pytest.fixture
def hosts(tmp_path):
    return Hosts(tmp_path, two_stages)


def break_(hosts, name):
    (hosts.folder / name).mkdir(exist_ok=True)
    (hosts.folder / name / "broken").touch()


def test_the_canaries_come_first_then_some_at_once_and_last_who_has_nothing_to_do():
    assert batches("abcdef", "abdef", SETTINGS) == [["a"], ["b", "d"], ["e", "f"], ["c"]]
    assert batches("abc", "abc", Rollout(canary=0, at_once=2)) == [["a", "b"], ["c"]]
    assert batches("abc", "", SETTINGS) == [["a", "b", "c"]]


def test_every_host_has_ended_a_stage_before_any_begins_the_next(hosts):
    done = hosts.apply("a", "b", "c", "d")
    assert done.heard.changed() == [
        *[("a", "first"), ("a", "second")],
        *[("b", "first"), ("c", "first"), ("b", "second"), ("c", "second")],
        *[("d", "first"), ("d", "second")],
        *[(name, "third") for name in "abcd"],
    ]
    assert done.standings == ["a: done", "b: done", "c: done", "d: done"]
    assert not done.outcome.interrupted


def test_a_red_gate_at_the_canary_leaves_the_others_untouched_and_says_so(hosts):
    break_(hosts, "a")
    done = hosts.apply("a", "b", "c")
    assert done.heard.changed() == [("a", "first"), ("a", "second")]
    assert not list((hosts.folder / "b").iterdir())
    (fault,) = done.outcome.faults
    assert "a: " in fault.where
    assert '"It is whole" does not hold:\nbroken' in fault.what
    assert fault.hint == "mend it"
    assert done.standings == [
        "a: stopped at the end of stage early, whose claims are not proven",
        "b: stage early not begun",
        "c: stage early not begun",
    ]


def test_a_red_gate_in_a_batch_says_which_of_its_hosts_are_whole(hosts):
    break_(hosts, "c")
    done = hosts.apply("a", "b", "c", "d")
    assert done.standings == [
        "a: done up to stage early, stage late not begun",
        "b: done up to stage early, stage late not begun",
        "c: stopped at the end of stage early, whose claims are not proven",
        "d: stage early not begun",
    ]


def test_what_was_not_proven_is_tried_again_although_nothing_is_left_to_change_there(hosts):
    break_(hosts, "a")
    hosts.apply("a", "b")
    again = hosts.apply("a", "b", unproven={("a", "early", "")})
    assert again.heard.changed() == []
    assert "does not hold" in again.outcome.faults[0].what
    (hosts.folder / "a/broken").unlink()
    mended = hosts.apply("a", "b", unproven={("a", "early", "")})
    assert mended.standings == ["a: done", "b: done"]
    assert mended.heard.events[:2] == [("begun", "early", ("a", "b")), ("tried", "early", {"a": 1})]


def test_where_nothing_changed_nothing_is_tried(hosts):
    hosts.apply("a", "b")
    (hosts.folder / "b/first").unlink()
    done = hosts.apply("a", "b")
    assert done.heard.changed() == [("b", "first")]
    assert done.heard.tried() == [("early", {"b": 1})]


def test_a_claim_is_due_at_the_end_of_the_stage_in_which_it_was_made(tmp_path):
    def body(folder):
        make(folder / "first")
        barrier("early")
        make(folder / "second")
        claim("", [Check("Both are there", f"test -e {folder}/first -a -e {folder}/second", "wait")])
        barrier("late")

    done = Hosts(tmp_path, body).apply("a")
    assert done.heard.tried() == [("late", {"a": 1})]
    assert done.standings == ["a: done"]


def test_what_changed_may_take_a_moment_to_be_whole(tmp_path):
    def body(folder):
        make(folder / "first")
        claim("", [Check("It was asked before", f"test -e {folder}/asked || {{ touch {folder}/asked; false; }}", "")])
        barrier("only")

    assert Hosts(tmp_path, body).apply("a", settings=Rollout(settle=5)).standings == ["a: done"]
    assert Hosts(tmp_path, body).apply("b", settings=Rollout(settle=0)).outcome.faults


def test_where_one_host_fails_its_batch_stops_at_that_operation(tmp_path):
    def body(folder):
        make(folder / "first")
        make(folder / "second" if folder.name != "b" else folder / "nowhere/second")
        make(folder / "third")
        barrier("only")

    done = Hosts(tmp_path, body).apply("a", "b", "c", settings=Rollout(canary=0, at_once=2))
    assert [host for host, sentence in done.heard.changed() if sentence == "third"] == []
    assert done.standings == [
        "a: stopped in stage only after 2 of 4 operations",
        "b: stopped in stage only after 1 of 4 operations",
        "c: stage only not begun",
    ]
    (fault,) = done.outcome.faults
    assert fault.where.startswith("b")
    assert "a: , third" in done.outcome.unfinished


def test_who_stops_it_has_the_running_operation_end_and_hears_where_it_stopped(hosts):
    done = hosts.apply("a", "b", stop_after="first")
    assert done.heard.changed() == [("a", "first")]
    assert done.outcome.interrupted
    assert not done.outcome.faults
    assert done.standings == ["a: stopped in stage early after 1 of 3 operations", "b: stage early not begun"]
