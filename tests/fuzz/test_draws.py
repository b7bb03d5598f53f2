"""Whatever comes together on a host, the plan names what the apply makes: by chance, from the seed that is printed."""

import os
import random

import pytest

from healthv1.sandbox.lifecycle import Shape
from healthv1.sandbox.snapshots import reset
from tests.hosts.conftest import failed
from tests.hosts.draws import drawn
from tests.hosts.drifts import DRIFTS
from tests.hosts.driven import Driver
from tests.hosts.matrix import mends, takes_up, upgraded
from tests.hosts.test_interrupted import is_killed_at_moments
from tests.hosts.world import CONVERGED, World

SEED = int(os.environ["HEALTHV1_SEED"])
DRAWS = drawn(random.Random(SEED))
SUITES = ("trixie", "bookworm")


@pytest.fixture(scope="session", params=SUITES)
def converged(request):
    with World(f"fuzz-{request.param}", Shape(suite=request.param)).for_a_while() as world:
        world.converge()
        with Driver(world) as driver:
            yield world, driver


@pytest.fixture
def host(request, converged):
    """A converged host and its driver; put back as it was where a test did not leave it so."""
    yield converged
    if failed(request.node):
        reset(converged[0].sandbox, CONVERGED)


@pytest.mark.parametrize("drift", DRIFTS, ids=str)
def test_a_drift_by_itself_is_mended_as_planned(host, drift):
    mends(*host, drift)


@pytest.mark.parametrize("number", range(len(DRAWS)))
def test_drifts_together_are_mended_as_planned(host, number):
    print(*DRAWS[number], sep="\n  ")  # noqa: T201 - pytest shows it beside a failure
    mends(*host, *DRAWS[number])


@pytest.mark.parametrize("kills", [1, 2, 3, 4])
def test_other_settings_are_taken_up_after_killed_applies(host, project, kills):
    takes_up(*host, upgraded(project), random.Random(f"{SEED}-{kills}"), kills)


@pytest.mark.parametrize("nth", [1, 2])
def test_a_first_apply_that_is_killed_is_mended_by_the_next(bare, project, nth):
    is_killed_at_moments(bare, project, random.Random(f"{SEED}-first-{nth}"), kills=10)
