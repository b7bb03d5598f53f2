"""Real hosts for tests: made once per run, and given back converged in seconds."""

import os
import shutil

import pytest

from healthv1.sandbox.requirements import requirements
from healthv1.sandbox.snapshots import reset
from tests.hosts.driven import Driver
from tests.hosts.world import CONVERGED, REPOSITORY, World

_FAILED = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call":
        item.stash[_FAILED] = report.failed
    return report


def failed(item):
    """Whether the test failed, or never came to its end."""
    return item.stash.get(_FAILED, True)


@pytest.fixture(scope="session", autouse=True)
def _able():
    """Say loudly what did not run; in continuous integration that is a failure."""
    lacks = [str(fault) for fault in requirements()]
    if not lacks:
        return
    message = "NO TEST ON A REAL HOST RAN. This machine lacks:\n" + "\n".join(lacks)
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def _deployed():
    """One trixie host with everything on it."""
    with World("test").for_a_while() as world:
        world.converge()
        yield world


@pytest.fixture
def deployed(_deployed):
    """The deployed host, for tests that leave it as they found it."""
    return _deployed


@pytest.fixture
def broken(_deployed):
    """The deployed host, for tests that break it: it is put back as it was."""
    yield _deployed
    reset(_deployed.sandbox, CONVERGED)


@pytest.fixture
def mended(request, _deployed):
    """The deployed host, for tests that break it and see it mended: only where they did not is it put back."""
    yield _deployed
    if failed(request.node):
        reset(_deployed.sandbox, CONVERGED)


@pytest.fixture(scope="session")
def driver(_deployed):
    """Applies to the deployed host in a process that is started once."""
    with Driver(_deployed) as driver:
        yield driver


@pytest.fixture
def bare():
    """A fresh host that nothing was deployed to."""
    with World("test-bare").for_a_while() as world:
        world.up()
        yield world


@pytest.fixture
def project(tmp_path):
    """A copy of the team's own files, to edit."""
    for name in ("inventories", "group_data"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    return tmp_path
