"""Whatever state a host is in: the changes that a plan names are those that an apply makes, and then none is left."""

import random

import pytest

from tests.hosts.draws import HIDING, dealt, drawn
from tests.hosts.drifts import DRIFTS
from tests.hosts.matrix import mends, takes_up, upgraded
from tests.hosts.world import REPOSITORY

COMPANIES = dealt(DRIFTS)
SEVERAL = drawn(random.Random(0))[:3]


def test_there_are_thirty_drifts_and_every_component_has_one():
    components = {path.parent.name for path in (REPOSITORY / "deploys").glob("*/deploy.py")}
    not_turned_on = {"pki"}  # test_pki.py has its drifts
    assert {drift.component for drift in DRIFTS} == components - not_turned_on
    assert len(DRIFTS) >= 30


def test_every_drift_is_in_one_company_beside_none_of_its_component_or_by_itself():
    assert sorted(str(drift) for company in COMPANIES for drift in company) == sorted(map(str, DRIFTS))
    for company in COMPANIES:
        assert len({drift.component for drift in company}) == len(company)
        assert len(company) == 1 or not HIDING & set(map(str, company))


@pytest.mark.parametrize("drifts", COMPANIES, ids=lambda company: ", ".join(map(str, company)))
def test_a_drift_is_named_by_the_plan_and_mended_as_planned(mended, driver, drifts):
    """A few components' at once: each apply takes its time. `make fuzz` has each drift by itself as well."""
    mends(mended, driver, *drifts)


@pytest.mark.parametrize("drifts", SEVERAL, ids=["once", "twice", "thrice"])
def test_several_drifts_at_once_are_mended_as_planned(mended, driver, drifts):
    print(*drifts, sep="\n  ")  # noqa: T201 - pytest shows it beside a failure
    mends(mended, driver, *drifts)


@pytest.mark.long(100)
def test_other_settings_are_taken_up_as_planned_also_after_a_killed_apply(mended, driver, project):
    takes_up(mended, driver, upgraded(project), random.Random(0), kills=1)


def test_what_no_plan_could_see_is_not_changed_before_one_does(mended, driver):
    hidden = next(drift for drift in DRIFTS if drift.name == "a powerful role that is a member of another")
    mended.shell(f"{hidden.command}; systemctl stop 'postgresql@*'")
    first = driver.apply()
    assert [change["action"] for *_, change in first.planned] == ["start"]
    assert "cannot be seen before it is" in first.planned[0][-1]["why"]
    assert first.made == first.planned
    assert "health_user is not as it should be, which no plan could see" in first.faults[0]["what"]
    assert hidden.names in " ".join(change["target"] for *_, change in first.left)
    driver.apply().assert_faithful()
    mended.shell(hidden.holds)
