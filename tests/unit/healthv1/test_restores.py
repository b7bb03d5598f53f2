"""How a restore reads on the operator's side: its exit code, what leads on, and what has to be known before a yes."""

from dataclasses import replace

import pytest

from deploys.api.checks import _instance_checks
from deploys.component import Check
from deploys.operations.claims import Claim
from deploys.stack import Stack
from healthv1.backup import restores
from healthv1.backup.program import ProgramAnswer
from healthv1.backup.restores import Restore
from healthv1.cli.restore import _before, lines
from healthv1.commands import restore as commands
from healthv1.errors import Fault, RestoreError

KEPT = Restore(
    "production",
    "db1",
    "kept",
    "the copy is kept beside the live data",
    folder="/var/lib/postgresql/17/health.restored",
    asked={"text": "2026-11-29T08:30Z"},
    proven={
        "faults": [],
        "told": [],
        "holds": True,
        "target": "2026-11-29 08:30:00+00",
        "canary": 1795941000.0,
        "lost": 12.0,
        "tables": [
            {"database": "health_v1_prod", "name": "health.patients", "copy": 3, "live": 2, "exact": True},
            {"database": "health_v1_prod", "name": "health.users", "copy": 2, "live": 2, "exact": True},
            {"database": "health_v1_prod", "name": "health.newer", "copy": None, "live": 7, "exact": False},
        ],
        "seconds": {"restore": 1.5},
    },
    bytes=3 * 2**30,
    newest=1795941000.0,
)
UNPROVEN = replace(KEPT, proven={**KEPT.proven, "faults": ["WAL is missing"], "holds": False})
STOPPED = replace(KEPT, phase="exchanging", undo="return")


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (KEPT, 0),
        (UNPROVEN, 3),
        (replace(KEPT, phase="swapped", proven=UNPROVEN.proven), 0),
        (replace(STOPPED, failure={"code": 4}), 4),
        (replace(STOPPED, failure={"code": 6}), 5),
        (replace(STOPPED, failure={"code": 1}), 1),
        (replace(KEPT, faults=(Fault("db1", "It was killed."),)), 1),
    ],
)
def test_the_exit_code_tells_how_it_ended(found, code):
    assert found.exit_code == code


def test_what_is_there_names_the_commands_that_lead_on():
    assert "--swap" in restores.ways_on(KEPT)
    assert "--discard" in restores.ways_on(replace(KEPT, phase="swapped"))
    assert "--resume" in restores.ways_on(STOPPED)
    assert "--abandon" in restores.ways_on(STOPPED)


def test_a_command_with_nothing_to_work_on_says_what_there_is():
    told = restores.nothing_to(KEPT, "No restore is under way.")
    assert told.exit_code == 5
    assert told.faults[0].what == "No restore is under way. A copy of 2026-11-29T08:30Z is kept."
    assert "healthv1 restore production --swap" in told.faults[0].hint
    told = restores.nothing_to(STOPPED, "Nothing is kept.")
    assert "stopped at exchanging" in told.faults[0].what
    told = restores.nothing_to(Restore("production", "db1"), "Nothing is kept.")
    assert told.faults[0].hint == "healthv1 restore production --to latest"


class Program:
    """Answers as the host's program would."""

    environment = "production"

    def __init__(self, *answers):
        self.host = type("Host", (), {"name": "db1"})()
        self.answers = list(answers)

    def call(self, *_, **__):
        return self.answers.pop(0)


@pytest.mark.parametrize(("code", "ours"), [(4, 4), (5, 5), (6, 5), (1, 1)])
def test_a_refusal_of_the_host_keeps_its_words_and_has_its_own_exit_code(code, ours):
    status = ProgramAnswer(0, {"phase": "kept", "asked": {"text": "latest"}}, ())
    program = Program(ProgramAnswer(code, None, ("2099-01-01 has not come",)), status)
    with pytest.raises(RestoreError) as raised:
        restores.begin(program, "begin", "--to", "2099-01-01T00:00Z")
    assert raised.value.exit_code == ours
    assert raised.value.faults[0].what == "2099-01-01 has not come."
    assert "ENV" not in raised.value.faults[0].hint


def test_a_program_that_was_killed_is_told_with_its_step():
    step = {"phase": "exchanging", "active": False, "steps": [{"name": "exchanging", "at": 1}], "failure": {}}
    noted = []
    found = restores.follow(Program(ProgramAnswer(0, step, ())), noted.append)
    assert found.faults[0].what == "It was killed at exchanging."
    assert "healthv1 restore production --resume" in found.faults[0].hint
    assert "exchanging" in noted[0]


def test_a_copy_that_is_not_proven_is_not_swapped_in():
    commands.refuse_unproven(KEPT)
    with pytest.raises(RestoreError) as raised:
        commands.refuse_unproven(UNPROVEN)
    assert raised.value.exit_code == 3
    assert "WAL is missing" in raised.value.faults[0].what


def test_before_a_yes_it_says_what_is_lost():
    assert "up to 2026-11-29 08:30:00 UTC" in " ".join(_before("swap", KEPT))
    assert "The former data will serve again" in " ".join(_before("swap", replace(KEPT, phase="swapped")))
    discarded = " ".join(_before("discard", replace(KEPT, phase="swapped")))
    assert "3.0 GiB, its newest row of 2026-11-29 08:30:00 UTC" in discarded
    assert "The data that served before serve again." in " ".join(_before("abandon", STOPPED))


def test_tables_are_shown_where_they_differ():
    shown = "\n".join(lines(KEPT))
    assert "health.patients  3     2" in shown
    assert "health.newer     none  about 7" in shown
    assert "health.users" not in shown
    assert "✗ WAL is missing" in "\n".join(lines(UNPROVEN))


def test_a_swap_waits_for_each_instance_of_the_api_to_answer_and_for_nothing_else():
    claims = [
        Claim("api", check, "API")
        for check in _instance_checks(Stack(domain="a.test", environment="production"), 8080, "1")
    ]
    assert [claim.check.claim for claim in claims if commands._is_readiness(claim)] == ["Instance 8080 is ready"]
    other = Claim("redis", Check("Redis is ready", "true", "…"), "Redis")
    assert not commands._is_readiness(other)


@pytest.mark.parametrize(
    ("phase", "serves"),
    [
        ("kept", True),
        ("swapped", True),
        ("archiving", True),
        ("stopping", False),
        ("exchanging", False),
        ("starting", False),
    ],
)
def test_visitors_are_let_in_as_soon_as_a_database_serves(phase, serves):
    """Also when the archive is away: the claims tell of that, and nobody is kept waiting for it."""
    assert replace(KEPT, phase=phase).serves is serves
