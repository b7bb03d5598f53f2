"""What a forecast keeps and answers in each phase, and how long it lives."""

from types import SimpleNamespace

import pytest
from pyinfra.context import ctx_host

from deploys.component import Check
from deploys.operations.change import Change
from deploys.operations.claims import claim, claims_on, close_stage
from deploys.operations.forecast import Forecast, Phase, forecast, forecast_of, reset_forecast
from tests.unit.asked import Host

CREATE = Change("file", "/a", "create")
MODE = Change("file", "/b", "update", "mode")
START, RESTART = (Change("unit", "x.service", action) for action in ("start", "restart"))
KEPT = ("targets", "created", "findings", "reserved")


@pytest.fixture
def host():
    one = Host({})
    ctx_host.set(one)
    yield one
    ctx_host.reset()


def tell(plan):
    """Use everything that may keep something, as an operation that creates /a does."""
    plan.announce(CREATE)
    plan.expect("x.service is restarted")
    return [
        plan.recall("version", lambda: "1.2"),
        plan.reconcile("unit x.service", iter([START])),
        plan.reserve("package x", "packages x"),
    ]


def kept(plan):
    return [getattr(plan, name) for name in KEPT]


def in_phase(phase):
    """Return what a plan told, in the phase that follows."""
    plan = Forecast()
    tell(plan)
    plan.phase = phase
    return plan


def test_what_is_planned_is_kept():
    plan = Forecast()
    assert tell(plan) == ["1.2", [START], True]
    assert kept(plan) == [
        {"/a", "x.service is restarted"},
        {("file", "/a")},
        {"version": "1.2", "unit x.service": [START]},
        {"package x": "packages x"},
    ]


@pytest.mark.parametrize("phase", [Phase.ASKING, Phase.EXECUTING])
def test_whoever_asks_or_executes_adds_nothing(phase):
    plan = Forecast(phase)
    assert tell(plan) == ["1.2", [START], True]
    assert kept(plan) == [set(), set(), {}, {}]


@pytest.mark.parametrize("phase", Phase)
def test_what_the_plan_changes_and_creates_is_known_in_each_phase(phase):
    plan = in_phase(phase)
    assert plan.planned("/z", "/a") == ["/a"]
    assert plan.creates("file", "/a")
    assert not plan.creates("directory", "/a")
    assert not plan.creates("file", "x.service is restarted")


def test_what_is_to_be_changed_is_pending_until_it_is_executed():
    assert in_phase(Phase.PLANNING).pending("/z", "/a") == ["/a"]
    assert in_phase(Phase.ASKING).pending("/z", "/a") == ["/a"]
    assert in_phase(Phase.EXECUTING).pending("/z", "/a") == []


def test_what_no_service_takes_up_is_not_pending():
    plan = Forecast()
    plan.announce(MODE, pending=False)
    assert plan.planned("/b") == []
    assert not plan.creates("file", "/b")


def test_what_the_plan_found_is_recalled_while_executing_alone():
    assert in_phase(Phase.PLANNING).recall("version", lambda: "1.3") == "1.3"
    assert in_phase(Phase.ASKING).recall("version", lambda: "1.3") == "1.3"
    assert in_phase(Phase.EXECUTING).recall("version", lambda: "1.3") == "1.2"
    assert in_phase(Phase.EXECUTING).recall("another", lambda: "1.3") == "1.3"


def test_who_executes_does_what_was_planned_and_what_else_is_due():
    plan = in_phase(Phase.EXECUTING)
    assert plan.reconcile("unit x.service", []) == [START]
    assert plan.reconcile("unit x.service", [Change("unit", "x.service", "start", "it failed")]) == [START]
    assert plan.reconcile("unit x.service", [RESTART]) == [START, RESTART]
    assert plan.reconcile("unit y.service", [RESTART]) == [RESTART]


@pytest.mark.parametrize("phase", [Phase.ASKING, Phase.PLANNING])
def test_who_does_not_execute_goes_by_what_the_host_says_now(phase):
    plan = in_phase(phase)
    assert plan.reconcile("unit x.service", [RESTART]) == [RESTART]
    assert plan.reconcile("unit x.service", []) == []


def test_the_first_of_a_plan_brings_what_several_need_and_in_its_execution_any():
    plan = in_phase(Phase.PLANNING)
    assert plan.reserve("package x", "packages x")
    assert not plan.reserve("package x", "packages x y")
    plan.phase = Phase.EXECUTING
    assert plan.reserve("package x", "packages x y")


def test_a_plan_asks_for_a_while_and_an_execution_asks_as_it_runs():
    plan = Forecast()
    with plan.asking():
        assert plan.phase is Phase.ASKING
        with plan.asking():
            plan.expect("/a")
        assert plan.phase is Phase.ASKING
    assert plan == Forecast()
    plan.phase = Phase.EXECUTING
    with plan.asking():
        assert plan.phase is Phase.EXECUTING


def test_an_error_ends_the_asking():
    plan = Forecast()
    with pytest.raises(ZeroDivisionError), plan.asking():
        raise ZeroDivisionError
    assert plan.phase is Phase.PLANNING


@pytest.mark.parametrize("phase", Phase)
def test_changes_are_collected_in_each_phase_while_somebody_does(phase):
    plan = Forecast(phase)
    plan.announce(CREATE)
    with plan.collecting() as changes:
        plan.announce(MODE, pending=False)
    plan.announce(CREATE)
    assert changes == [MODE]


def test_an_operation_that_is_closed_late_leaves_the_next_ones_changes_alone():
    plan = Forecast()

    def watched():
        with plan.collecting():
            yield

    late = watched()
    next(late)
    with plan.collecting() as changes:
        late.close()
        plan.announce(CREATE)
    assert changes == [CREATE]


def test_it_can_be_printed():
    plan = Forecast()
    plan.announce(CREATE)
    kept = "targets={'/a'}, created={('file', '/a')}, findings={}, reserved={}"
    assert str(plan) == f"Forecast(phase=<Phase.PLANNING: 'planning'>, {kept})"


def test_each_host_has_one_that_executes_once_pyinfra_does(host):
    assert forecast() is forecast() is forecast_of(host)
    assert forecast_of(Host({})) is not forecast()
    tell(forecast())
    host.state = SimpleNamespace(is_executing=True)
    assert forecast().phase is Phase.EXECUTING
    assert forecast().planned("/a") == ["/a"]


def test_a_fresh_one_knows_of_no_plan_and_claims_stay(host):
    host.current_deploy_name = ""
    check = Check("It is whole", "true", "")
    claim("x", [check])
    tell(forecast())
    host.state = SimpleNamespace(is_executing=True)
    reset_forecast(host)
    assert forecast() == Forecast(Phase.EXECUTING)
    close_stage("data")
    assert [(one.check, one.stage) for one in claims_on(host)] == [(check, "data")]
    assert claims_on(Host({})) == []
