"""What was agreed to is noted for its owner alone, and covers what an interruption makes of it, but nothing new."""

import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from deploys.operations.change import Change
from healthv1.commands import apply as applying
from healthv1.errors import Fault, Refused
from healthv1.plan import Plan, Step
from healthv1.plan.outcome import Outcome
from healthv1.rollout import approval
from healthv1.rollout.approval import Agreement

HOSTS = {"web1": "192.0.2.10"}


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    for name in ("inventories", "group_data"):
        (tmp_path / name).mkdir()
    (tmp_path / "group_data/all.py").write_text("x = 1\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _plan(*changes, host="web1", operation="Run nginx"):
    return Plan("production", (host,), 9, (Step(host, "edge", "Nginx", operation, changes),) if changes else ())


FILE = Change("file", "/etc/nginx/nginx.conf", "create")
START = Change("unit", "nginx.service", "start", "it is not running")


def _noted(*changes, limit=()):
    agreement = Agreement.of_plan(_plan(*changes), limit, HOSTS)
    agreement.write()
    return agreement


WRITES = """
from healthv1.rollout.approval import Agreement
for _ in range(50): Agreement("sandbox", (), "", {}, set()).write()
"""


def test_two_sandboxes_of_one_checkout_note_what_was_agreed_to_at_the_same_time(project):
    argv = [sys.executable, "-c", WRITES]
    running = [subprocess.Popen(argv, cwd=project, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in running:
        said = process.communicate(timeout=60)[1]
        assert process.returncode == 0, said


def test_the_note_is_for_its_owner_alone_and_not_for_the_repository(project):
    _noted(FILE)
    path = project / ".healthv1/apply/production.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert (project / ".healthv1/.gitignore").read_text() == "*\n"
    approval.delete_agreement("production")
    assert not path.exists()


def test_what_is_under_way_is_unproven_until_it_passed_its_gate():
    agreement = _noted(FILE)
    agreement.note_begun("base", ["web1"])
    assert approval.read_agreement("production").unproven == set()
    agreement.note_begun("edge", ["web1"])
    assert approval.read_agreement("production").unproven == {("web1", "edge", "Nginx")}
    agreement.note_proven("edge", ["web1"])
    assert approval.read_agreement("production") == agreement


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (FILE, FILE),
        (FILE, Change("file", "/etc/nginx/nginx.conf", "update")),
        (START, Change("unit", "nginx.service", "restart")),
        (Change("package", "nginx", "install"), Change("package", "nginx, nginx-common", "configure")),
    ],
)
def test_what_an_interruption_made_of_it_was_agreed_to(was, now):
    _noted(was)
    plan = _plan(now)
    approval.agreement_to_resume("production", ()).refuse_unagreed(Agreement.of_plan(plan, (), HOSTS), plan)


@pytest.mark.parametrize(
    "plan",
    [
        _plan(Change("file", "/etc/nginx/nginx.conf", "remove")),
        _plan(Change("file", "/etc/nginx/other.conf", "create")),
        _plan(FILE, host="web2"),
        _plan(FILE, operation="Write it"),
        _plan(Change("package", "nginx", "configure")),
    ],
    ids=["action", "target", "host", "operation", "packages"],
)
def test_what_is_new_is_refused_and_named(plan):
    _noted(FILE, START)
    with pytest.raises(Refused) as refusal:
        approval.agreement_to_resume("production", ()).refuse_unagreed(Agreement.of_plan(plan, (), HOSTS), plan)
    assert plan.steps[0].changes[0].target in refusal.value.faults[0].what
    assert "healthv1 apply production" in refusal.value.faults[0].hint


def test_other_settings_or_other_hosts_are_not_what_was_agreed_to(project):
    _noted(FILE)
    plan = _plan(FILE)
    left = approval.agreement_to_resume("production", ())
    with pytest.raises(Refused, match="not what they were"):
        left.refuse_unagreed(Agreement.of_plan(plan, (), {"web1": "192.0.2.99"}), plan)
    (project / "group_data/all.py").write_text("x = 2\n")
    with pytest.raises(Refused, match="not what they were"):
        left.refuse_unagreed(Agreement.of_plan(plan, (), HOSTS), plan)


def test_without_an_apply_that_stopped_there_is_nothing_to_resume():
    with pytest.raises(Refused, match="No apply is left"):
        approval.agreement_to_resume("production", ())


def test_a_resume_takes_the_limit_it_was_agreed_to_with_and_refuses_another():
    _noted(FILE, limit=("web1",))
    assert approval.agreement_to_resume("production", ()).limit == ("web1",)
    with pytest.raises(Refused, match="--limit web1"):
        approval.agreement_to_resume("production", ("web2",))


def test_a_note_that_cannot_be_read_is_none(project):
    _noted(FILE)
    (project / ".healthv1/apply/production.json").write_text('{"schema": 1')
    assert approval.read_agreement("production") is None


def _left_unproven(**hosts):
    """Note an apply to `hosts` that stopped at its last gate."""
    steps = tuple(Step(host, "edge", "Nginx", "Run nginx", (START,)) for host in hosts)
    agreement = Agreement.of_plan(Plan("production", tuple(hosts), 9, steps), (), hosts)
    agreement.note_begun("edge", list(hosts))
    return agreement


@dataclass
class Hosts:
    """A session as far as an apply asks it; nothing has to be changed on its hosts."""

    addresses: dict
    faults: dict = field(default_factory=dict)


@pytest.fixture
def apply(monkeypatch):
    """Return a function that applies to hosts on which nothing is to be changed; it returns what its gates tried."""

    def run(*, red=(), **addresses):
        tried = []

        def rollout(session, plan, report, ledger, stopping, unproven):
            tried.extend(unproven)
            faults = tuple(Fault(host, "It does not hold.") for host, *_ in unproven if host in red)
            return Outcome((), faults, (), ())

        @contextmanager
        def given(*_args, **_kwargs):
            yield SimpleNamespace(end_with=lambda *_: None, result="")

        @contextmanager
        def opened(*_args, **_kwargs):
            yield Hosts(addresses)

        plan = Plan("production", tuple(addresses), 9, ())
        for name, stub in {
            "opened": opened,
            "wait_until_free": lambda *_: None,
            "planner": SimpleNamespace(plan=lambda *_, **__: plan, refresh_facts=lambda *_, **__: None),
            "membership": SimpleNamespace(with_left_members=lambda _session, plan: plan),
            "last_apply": SimpleNamespace(record_members=lambda *_: None),
            "_refuse_faults": lambda _session: None,
            "_record_apply": lambda *_args, **_kwargs: None,
            "record": lambda *_: None,
            "locked": given,
            "recorded": given,
            "hosts_unchanged": given,
            "losses": SimpleNamespace(refuse=lambda _session: None),
            "refuse_formless_arguments": lambda _session: None,
            "stages": SimpleNamespace(apply=rollout),
        }.items():
            monkeypatch.setattr(applying, name, stub)
        applying.apply("production", (), lambda _plan: True)
        return tried

    return run


def test_an_apply_with_nothing_to_change_tries_what_was_left_unproven_on_its_hosts_and_forgets_only_that(apply):
    _left_unproven(web1="192.0.2.10", web2="192.0.2.11")
    assert apply(web1="192.0.2.10") == [("web1", "edge", "Nginx")]
    assert approval.read_agreement("production").unproven == {("web2", "edge", "Nginx")}
    assert apply(web3="192.0.2.12") == []
    assert approval.read_agreement("production").unproven == {("web2", "edge", "Nginx")}, (
        "web3's apply has not tried it"
    )
    assert apply(red=["web2"], web2="192.0.2.11") == [("web2", "edge", "Nginx")]
    assert approval.read_agreement("production").unproven == {("web2", "edge", "Nginx")}, (
        "it was tried, and does not hold"
    )
    apply(web1="192.0.2.10", web2="192.0.2.11")
    assert approval.read_agreement("production") is None


def test_what_was_left_on_hosts_of_the_same_names_elsewhere_is_no_matter(apply):
    _left_unproven(web1="192.0.2.10")
    assert apply(web1="198.51.100.1") == []
