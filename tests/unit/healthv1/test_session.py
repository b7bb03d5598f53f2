"""Sessions as pyinfra's contexts and its operations see them: one inside another, and each operation several times."""

from itertools import groupby

import pytest
from pyinfra.api.operation import operation

from deploys.operations.barrier import barrier
from deploys.operations.change import Change
from deploys.operations.forecast import Phase, forecast
from deploys.operations.shell import ensure
from healthv1.hosts.session import CONTEXTS, opened
from tests.unit.healthv1.hosts_here import Hosts
from tests.unit.healthv1.test_engine_dangers import SUDO


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Two environments, of this machine each."""
    (tmp_path / "sudo").write_text(SUDO)
    (tmp_path / "sudo").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    for name in ("inventories", "group_data"):
        (tmp_path / name).mkdir()
    for name in ("outer", "inner"):
        (tmp_path / f"inventories/{name}.py").write_text('database = ["@local"]\n')
    monkeypatch.chdir(tmp_path)


def _contexts():
    return [context.get() for context in CONTEXTS]


def test_a_session_inside_another_leaves_its_contexts_as_they_were(project):
    with opened("outer", read_site=False) as outer, outer.on(outer.hosts[0]):
        before = _contexts()
        with opened("inner", read_site=False) as inner:
            state, inventory, *of_a_host = _contexts()
            assert (state, inventory, of_a_host) == (inner.state, inner.state.inventory, [None, None])
            with inner.on(inner.hosts[0]):
                assert _contexts()[-1] is inner.hosts[0]
            assert _contexts()[-1] is None
        assert all(now is then for now, then in zip(_contexts(), before, strict=True))
    assert _contexts() == [None] * 4


def test_a_session_that_ends_in_an_error_leaves_them_as_well(project):
    with opened("outer", read_site=False) as outer, outer.on(outer.hosts[0]):
        before = _contexts()
        with pytest.raises(ZeroDivisionError), opened("inner", read_site=False) as inner, inner.on(inner.hosts[0]):
            raise ZeroDivisionError
        assert all(now is then for now, then in zip(_contexts(), before, strict=True))


def test_an_operation_is_evaluated_several_times_ahead_of_its_first_command(tmp_path, monkeypatch):
    """To ask, to plan, to look again under the lock, to carry out, and to be noted: this is why it does but ask."""
    seen = []

    @operation()
    def watched(path):
        seen.append(forecast().phase)
        yield from ensure._inner(Change("file", path, "create"), f"test -e {path}", f"touch {path}")

    def body(folder):
        watched(f"{folder}/x", name="Watch")
        barrier("end")

    hosts = Hosts(tmp_path, body, monkeypatch, names=("web1",))
    assert hosts.apply().ended_well
    assert (tmp_path / "web1/x").exists()
    phases = [phase for phase, _ in groupby(seen)]
    assert phases == [Phase.ASKING, Phase.PLANNING, Phase.ASKING, Phase.EXECUTING]
    assert seen.count(Phase.PLANNING) == 1
