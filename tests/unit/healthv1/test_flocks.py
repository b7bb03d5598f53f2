"""A lock between processes: waited for, said once, given up, and let go."""

import fcntl
import os

import pytest

from healthv1 import flocks
from healthv1.flocks import locked
from healthv1.journal.local import OperatorCopy
from healthv1.workspace import project


@pytest.fixture
def opened(tmp_path):
    """Return a function that opens the same folder anew, as another process would."""
    descriptors = []

    def another():
        descriptors.append(os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY))
        return descriptors[-1]

    yield another
    for descriptor in descriptors:
        os.close(descriptor)


def test_who_waits_says_so_once_and_gives_up(opened):
    said = []
    with locked(opened()), pytest.raises(TimeoutError), locked(opened(), 0.2, lambda: said.append("wait")):
        pytest.fail("two hold it")
    assert said == ["wait"]


def test_it_is_let_go_also_after_an_error_and_nobody_waits_for_nothing(opened):
    with pytest.raises(KeyError), locked(opened()):
        raise KeyError
    with locked(opened(), 0, lambda: pytest.fail("it was free")):
        pass


def test_others_go_on_while_one_waits(opened, monkeypatch):
    first = opened()
    fcntl.flock(first, fcntl.LOCK_EX)
    monkeypatch.setattr(flocks.time, "sleep", lambda _: fcntl.flock(first, fcntl.LOCK_UN))
    with locked(opened(), 10):
        pass


@pytest.mark.parametrize("first", ["journal", "apply", "another's hand"])
def test_the_operators_notes_are_theirs_alone_whoever_comes_first(first, tmp_path, monkeypatch):
    monkeypatch.setattr(project, "root", lambda: tmp_path)
    if first == "another's hand":
        (tmp_path / ".healthv1").mkdir(mode=0o755)
    if first == "apply":
        project.state("apply")
    OperatorCopy("demo").append({"event": "started"})
    project.state("apply")
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*") if path.is_dir()}
    assert modes == {".healthv1": 0o700, "journal": 0o700, "apply": 0o700}
