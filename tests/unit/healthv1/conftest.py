"""A plan that was really made, once for all tests."""

import json
import shutil

import pytest

from tests.unit.command import REPOSITORY, healthv1


@pytest.fixture(scope="session")
def recorded():
    """Return the document of a plan of recorded bare hosts, one of each supported distribution."""
    done = healthv1("plan", "recorded", "--json")
    assert done.returncode == 2, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def project(tmp_path):
    for name in ("inventories", "group_data"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    return tmp_path
