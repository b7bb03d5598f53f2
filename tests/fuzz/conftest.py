"""The hosts, and what marks them as such, are those of the other tests."""

from tests.hosts.conftest import _able, bare, project, pytest_runtest_makereport  # noqa: F401
