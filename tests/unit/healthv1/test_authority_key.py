"""The authority's key among the secrets: only who asked for an authority has it, and it is kept like the master key."""

import json
from dataclasses import replace

import pytest

from deploys.credentials.authority import trusted
from deploys.pki.settings import Pki
from healthv1.hosts.secrets_in_use import bind_secrets
from tests.unit.healthv1.team import Team
from tests.unit.healthv1.test_rotation_dangers import Team as Rotating
from tests.unit.healthv1.test_secrets_command import NAMES, REPOSITORY


@pytest.fixture
def team(tmp_path):
    """A team that does not deploy before what is irreplaceable is in escrow, and wants no authority yet."""
    made = Team(tmp_path)
    made.settings.write_text(made.settings.read_text().replace(", require_escrow=False", ""))
    made.must("secrets", "init", "recorded")
    made.must("secrets", "export", "recorded", "--to", made.recipient, "--out", "master.age")
    made.must("secrets", "read-back", "recorded", "master.age", "--identity", str(made.key))
    return made


def asks_for_it(team):
    team.settings.write_text(f"from deploys.pki.settings import Pki\n{team.settings.read_text()}\npki = Pki()\n")


def refusals(team):
    found = json.loads(team.run("plan", "recorded", "--json").stdout)["faults"]
    return {(fault["where"].rpartition("#")[2], fault["what"].partition(",")[0]) for fault in found}


NOT_EXPORTED = ("ca_key", "It was never exported for escrow")


def test_who_asks_for_no_authority_needs_nothing_new_and_who_does_exports_its_key_first(team):
    assert refusals(team) == set()
    asks_for_it(team)
    assert refusals(team) == {NOT_EXPORTED}
    assert json.loads(team.must("secrets", "init", "recorded", "--json"))["generated"] == ["ca_key"]
    assert refusals(team) == {NOT_EXPORTED}
    team.must("secrets", "export", "recorded", "--to", team.recipient, "--out", "both.age")
    team.must("secrets", "read-back", "recorded", "both.age", "--identity", str(team.key))
    assert refusals(team) == set()
    value = team.entry("ca_key").current.value
    team.file.unlink()
    assert "ca_key" in team.must("secrets", "restore", "recorded", "both.age", "--identity", str(team.key))
    assert team.entry("ca_key").current.value == value


def test_an_escrow_file_of_before_is_still_good_for_what_it_holds(team):
    asks_for_it(team)
    team.must("secrets", "init", "recorded")
    team.must("secrets", "read-back", "recorded", "master.age", "--identity", str(team.key))
    assert refusals(team) == {NOT_EXPORTED}


def test_a_plan_shows_whom_a_host_will_trust_and_nothing_of_the_key(team):
    asks_for_it(team)
    team.settings.write_text(
        team.settings.read_text().replace('app.example.com",)', 'app.example.com",), require_escrow=False')
    )
    team.must("secrets", "init", "recorded")
    done = team.run("plan", "recorded", "--full")
    assert done.returncode == 2, done.stderr
    assert "create certificate /etc/health-v1/tls/host.pem  debian12, 127.0.0.1, for a year" in done.stdout
    assert "-----BEGIN CERTIFICATE-----" in done.stdout
    assert "PRIVATE" not in done.stdout
    team.shows_no_value(done)


@pytest.fixture
def rotating(monkeypatch):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        recorded = bind_secrets("recorded")
    return Rotating(replace(recorded, secrets=(*recorded.secrets, Pki().ca_key)), monkeypatch)


def test_hosts_trust_a_new_authority_before_it_signs_and_it_signs_only_once_it_is_in_escrow(rotating):
    rotating.escrowed("ca_key", 1)
    before = trusted(rotating.secret("ca_key"))
    states, waiting = rotating.rotate("ca_key", at_once=True)
    assert states == [((1, 2),)], "staged: hosts trust both"
    assert "an export for escrow" in waiting["ca_key"]
    staged = trusted(rotating.secret("ca_key"))
    assert staged.startswith(before)
    rotating.escrowed("ca_key", 2)
    assert rotating.rotate("ca_key") == ([((1, 2),), ((2, 1),), ((2,),)], {})
    assert trusted(rotating.secret("ca_key")) == staged.removeprefix(before)
    assert list(rotating.values("ca_key")) == [1, 2], "earlier ones are kept, as escrow has them"


def test_the_names_that_every_team_has_are_the_same_as_before(team):
    assert {row["name"] for row in json.loads(team.must("secrets", "list", "recorded", "--json"))["secrets"]} == NAMES
