"""A secrets file that is gone: made where nothing was deployed yet, and brought back where something was."""

import json
import subprocess

import pytest

from healthv1.secrets.file.committed import restore_hint
from tests.unit.healthv1.team import Team

RECORD = ("applied.json", '{"environment": "recorded", "members": []}')
JOURNAL = ("/journal/*.jsonl", "/var/lib/healthv1/journal/recorded.jsonl")
OF_ANOTHER = ("applied.json", '{"environment": "staging"}')
MARKS = ("for mark in", "cluster=health")
COMMANDS = [
    ("plan", "recorded"),
    ("plan", "recorded", "--out", "plan.json"),
    ("apply", "recorded", "--yes"),
    ("drift", "recorded"),
    ("verify", "recorded"),
    ("secrets", "init", "recorded"),
    ("secrets", "doctor", "recorded"),
    ("secrets", "set", "recorded", "jwt_secret"),
    ("secrets", "rotate", "recorded", "jwt_secret", "--yes"),
    ("secrets", "export", "recorded", "--to", "KEY", "--out", "escrow.age"),
    ("secrets", "rekey", "recorded"),
]


@pytest.fixture
def team(tmp_path):
    """A team whose secrets were made and committed."""
    found = Team(tmp_path)
    found.must("secrets", "init", "recorded")
    _git(found, "init", "--quiet")
    _git(found, "add", "secrets.age")
    _git(found, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "secrets")
    return found


def _git(team, *arguments):
    subprocess.run(["git", *arguments], cwd=team.folder, check=True, capture_output=True)


def _hosts_say(team, *responses):
    """Have the last of the recorded hosts answer like that."""
    inventory = team.folder / "inventories/recorded.py"
    told = "".join(f"_hosts[-1][1]['fake_responses'][{matcher!r}] = {answer!r}\n" for matcher, answer in responses)
    inventory.write_text(inventory.read_text().replace("\ndatabase = ", f"\n{told}\ndatabase = "))


def _key(team, arguments):
    return [team.recipient if one == "KEY" else one for one in arguments]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_what_was_deployed_from_is_brought_back_and_never_made_anew(team, arguments):
    _hosts_say(team, RECORD)
    held = team.file.read_bytes()
    team.file.unlink()
    done = team.run(*_key(team, arguments), stdin="x" * 40)
    assert done.returncode == 1, done.stdout
    assert not team.file.exists()
    assert "file:secrets.age: It is missing, although @fake/ubuntu2404 was deployed to: new secrets" in done.stderr
    hint = "Hint:  restore it from your repository: "
    assert "init" not in done.stderr
    [command] = [line.removeprefix(hint) for line in done.stderr.splitlines() if line.startswith("Hint:")]
    subprocess.run(command, shell=True, cwd=team.folder, check=True, capture_output=True)
    assert team.file.read_bytes() == held


@pytest.mark.parametrize("told", [(JOURNAL,), (MARKS,), (OF_ANOTHER, JOURNAL)])
def test_a_host_tells_by_its_journal_and_by_the_marks_of_earlier_versions_too(team, told):
    _hosts_say(team, *told)
    team.file.unlink()
    assert "was deployed to" in team.run("secrets", "init", "recorded").stderr
    assert not team.file.exists()


@pytest.mark.parametrize("told", [(), (OF_ANOTHER, MARKS)])
def test_where_nothing_was_deployed_it_is_made(team, told):
    _hosts_say(team, *told)
    team.file.unlink()
    team.settings.write_text(team.settings.read_text().replace(", require_escrow=False", ""))
    faults = json.loads(team.run("plan", "recorded", "--json").stdout)["faults"]
    assert "healthv1 secrets init recorded, then" in next(
        fault["hint"] for fault in faults if "escrow" in fault["what"]
    )
    team.must("secrets", "init", "recorded")
    assert team.file.exists()


def test_hosts_that_are_left_out_are_asked_too(team):
    _hosts_say(team, RECORD)
    team.file.unlink()
    done = team.run("plan", "recorded", "--limit", "@fake/debian12")
    assert "although @fake/ubuntu2404 was deployed to" in done.stderr


def test_what_escrow_holds_comes_back_all_the_same(team):
    team.must("secrets", "export", "recorded", "--to", team.recipient, "--out", "all.age", "--all")
    _hosts_say(team, RECORD)
    team.file.unlink()
    team.must("secrets", "restore", "recorded", "all.age", "--identity", str(team.key))
    assert team.file.exists()


@pytest.mark.parametrize("way", ["deleted", "removed", "removed and committed", "elsewhere"])
def test_the_command_brings_the_file_back_however_it_was_lost(team, way, monkeypatch):
    held, where = team.file.read_bytes(), team.folder
    if way.startswith("removed"):
        _git(team, "rm", "--quiet", "secrets.age")
    else:
        team.file.unlink()
    if way == "removed and committed":
        _git(team, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "oops")
    if way == "elsewhere":
        where = team.folder / "group_data"
    monkeypatch.chdir(where)
    command = restore_hint(team.file, "recorded").removeprefix("restore it from your repository: ")
    assert command.endswith("../secrets.age" if way == "elsewhere" else "secrets.age")
    subprocess.run(command, shell=True, cwd=where, check=True, capture_output=True)
    assert team.file.read_bytes() == held


def test_a_file_that_was_never_committed_comes_from_a_copy_or_from_escrow(team, monkeypatch):
    monkeypatch.chdir(team.folder)
    for path in (team.folder / "other.age", team.folder.parent / "outside.age"):
        assert "healthv1 secrets restore recorded FILE --identity KEY" in restore_hint(path, "recorded")
