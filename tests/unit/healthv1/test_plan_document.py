"""The JSON document: as published, read back as written, and anything else refused in one clear sentence."""

import json
import subprocess

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator, ValidationError

from healthv1.errors import Fault, Refused
from healthv1.plan import SCHEMA, Plan, html, markdown, text
from healthv1.plan.reading import read
from healthv1.plan.schema import as_text, schema
from healthv1.workspace.provenance import revision_of
from tests.unit.command import REPOSITORY, healthv1
from tests.unit.plans import CREATE, RELOAD, WRITE, plan_of, plans

PUBLISHED = Draft202012Validator(schema())
PLAN = plan_of(CREATE, WRITE, RELOAD, faults=(Fault("db2", "It is away."),))


def test_the_published_schema_is_the_one_of_the_code():
    assert (REPOSITORY / "docs/plan.schema.json").read_text() == as_text(), "python -m healthv1.plan writes it"
    PUBLISHED.check_schema(PUBLISHED.schema)


def test_a_real_plan_is_as_published_and_can_be_shown_in_every_form(recorded):
    PUBLISHED.validate(recorded)
    assert recorded["toolkit"]
    assert recorded["made"].endswith("+00:00")
    plan = Plan.from_json(recorded)
    assert plan.as_json() == recorded
    folded, full = ([line.text for line in text.lines(plan, full=full)] for full in (False, True))
    assert folded[-1].startswith("Plan: ")
    assert len(full) > 2 * len(folded)
    assert len(markdown.document(plan)) <= markdown.LIMIT < len(markdown.document(plan, 10**9))
    assert html.document(plan).startswith("<!doctype html>")


def test_show_needs_nothing_but_the_file(recorded, tmp_path):
    (tmp_path / "plan").write_text(json.dumps(recorded))
    done = healthv1("show", "plan", "--markdown", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == markdown.document(Plan.from_json(recorded))


def test_a_member_that_is_missing_or_another_is_not_as_published():
    document = PLAN.as_json()
    PUBLISHED.validate(document)
    for wrong in ({"schema": 1}, {"hosts": "web1"}, {"considered": "x"}, {"steps": [{}]}):
        with pytest.raises(ValidationError):
            PUBLISHED.validate(document | wrong)


@given(plans)
def test_what_is_written_is_what_is_read(plan):
    document = plan.as_json()
    PUBLISHED.validate(document)
    assert Plan.from_json(json.loads(json.dumps(document))) == plan


def test_what_a_later_version_adds_is_passed_over():
    document = PLAN.as_json() | {"added": 1}
    document["steps"][0]["changes"][0]["added"] = 1
    assert Plan.from_json(document) == PLAN


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("\ufeff{}", "no JSON"),
        ("[]", "not a plan"),
        ("{}", "not a plan"),
        ('{"schema": 2, "faults": []}', "not a plan"),
        ('{"schema": true, "steps": []}', "not a plan"),
        ('{"plan": 3}', "not a plan"),
        ('{"schema": 2, "steps": []}', "environment: field required"),
        (json.dumps(PLAN.as_json() | {"steps": [{"host": 3}]}), "steps.0.host"),
        (json.dumps(PLAN.as_json() | {"schema": SCHEMA + 1}), "newer healthv1"),
        (json.dumps(PLAN.as_json() | {"schema": 1}), "older healthv1"),
    ],
)
def test_what_is_no_plan_is_refused_in_one_sentence(tmp_path, content, words):
    file = tmp_path / "plan"
    file.write_text(content)
    with pytest.raises(Refused, match=words) as refused:
        read(file)
    (fault,) = refused.value.faults
    assert (fault.where, "\n" in fault.what) == (str(file), False)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path):
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    for name, words in (("nothing", "No such file"), ("bytes", "no JSON"), (".", "Is a directory")):
        with pytest.raises(Refused, match=words):
            read(tmp_path / name)


def test_a_saved_plan_carries_the_document(tmp_path):
    file = tmp_path / "plan"
    file.write_text(json.dumps({"format": 1, "plan": PLAN.as_json(), "seal": "…"}))
    assert read(file) == PLAN


def test_the_forms_exclude_each_other(tmp_path):
    done = healthv1("show", str(tmp_path / "x"), "--markdown", "--html")
    assert (done.returncode, done.stdout) == (1, "")
    assert "--markdown and --html exclude each other" in done.stderr


def test_a_comment_says_why_there_is_no_plan():
    done = healthv1("plan", "nowhere", "--markdown")
    assert done.returncode == 1
    assert done.stdout.startswith("<!-- healthv1 plan nowhere -->\n**No host could be planned.**")
    assert "nowhere: There is no inventory of that name." in done.stdout
    assert "There is no inventory of that name." in done.stderr


def test_a_plan_says_which_revision_it_is_of(tmp_path):
    def git(*arguments):
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
        done = subprocess.run(
            ["git", "-C", str(tmp_path), *identity, *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    assert revision_of(tmp_path) == ""
    git("init", "-q")
    assert revision_of(tmp_path) == ""
    (tmp_path / "a").touch()
    git("add", "a")
    git("commit", "-qm", "a")
    assert revision_of(tmp_path) == git("rev-parse", "HEAD")
    (tmp_path / "b").touch()
    assert revision_of(tmp_path) == f"{git('rev-parse', 'HEAD')}+dirty"
