"""A rotation takes away no secret that somebody still needs, and goes no step further than its hosts did.

Whose secrets they are, how long they last and what escrow they need is what the recorded environment says.
"""

from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest

from healthv1.commands import apply
from healthv1.commands.secrets import check, doctor, export, read_back, restore, rotate
from healthv1.errors import Fault, LockError, Refused
from healthv1.hosts.secrets_in_use import bind_secrets
from healthv1.plan import Plan
from healthv1.secrets import age, entry, rotation
from healthv1.secrets.backend import Backend, generate
from healthv1.secrets.entry import Entry

REPOSITORY = Path(__file__).parents[3]
HOURS = timedelta(hours=1)
OVERLAPPING = ("database_password", "redis_password", "jwt_secret", "session_secret", "master_key")
AT_ONCE = ("database_owner_password", "verification_password", "plan_key")
LASTING = {"jwt_secret": 24 * HOURS, "session_secret": HOURS / 2}
"""How long what was made with it is good for, by the guide's settings."""


class Held(Backend[int]):
    """A backend that is a dictionary. `meanwhile` is what somebody else does to it ahead of our next write."""

    def __init__(self, documents=None):
        super().__init__()
        self.documents = {} if documents is None else documents
        self.meanwhile = None

    def names(self):
        return tuple(self.documents)

    def _fetch(self, name):
        revision, kept = self.documents.get(name, (0, None))
        return kept, revision

    def _put(self, name, kept, revision):
        others, self.meanwhile = self.meanwhile, None
        if others:
            others(Held(self.documents))
        if self.documents.get(name, (0, None))[0] != revision:
            return False
        self.documents[name] = (revision + 1, kept)
        return True

    def __str__(self):
        return "vault:m/p"


class Clock:
    def __init__(self):
        self.time = datetime(2026, 1, 1, tzinfo=timezone.utc)

    def now(self):
        return self.time


@pytest.fixture(scope="module")
def recorded():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        return bind_secrets("recorded")


class Team:
    """An environment whose hosts note which versions they were deployed with."""

    def __init__(self, recorded, monkeypatch):
        self.backend, self.clock = Held(), Clock()
        self.bound = replace(
            recorded,
            secrets=tuple(secret.bind(self.backend) for secret in recorded.secrets),
            environment=recorded.environment.model_copy(update={"require_escrow": True}),
        )
        self.deployed, self.outcomes, self.check_lock = [], [], lambda: None
        for module in (entry, rotation, doctor):
            monkeypatch.setattr(module, "now", self.clock.now)
        for module in (rotate, export, read_back):
            monkeypatch.setattr(module, "bind_secrets_unless_lost", lambda _environment: self.bound)
        monkeypatch.setattr(restore, "bind_secrets", lambda _environment: self.bound)
        for module in (rotate, restore):
            monkeypatch.setattr(module, "locked_session", self._locked)
            monkeypatch.setattr(module, "recorded", self._recorded)
        monkeypatch.setattr(rotate, "plan", lambda *_: Plan("recorded", ("host1",), 9, ()))
        monkeypatch.setattr(rotate, "apply", self._apply)
        self.backend.store(self.bound.secrets)

    def __getitem__(self, name):
        return Held(self.backend.documents).entry(name)

    def secret(self, name):
        return next(secret for secret in self.bound.secrets if secret.key == name)

    def rotate(self, *names, at_once=False):
        """Rotate; return with which versions hosts were deployed meanwhile, what clients use first."""
        self.deployed.clear()
        self.backend.forget()
        done = rotate.rotate("recorded", names, lambda _steps: True, value=None, at_once=at_once)
        assert set(done.done) | set(done.waiting) == set(names)
        return [tuple(state[name] for name in names) for state in self.deployed], done.waiting

    def escrowed(self, name, *numbers):
        self.backend.change(name, lambda found: found.escrowed("digest", numbers))

    def values(self, name):
        return {kept.number: kept.value for kept in self[name].versions}

    def _apply(self, *_args):
        self.deployed.append({secret.key: secret.numbers() for secret in self.bound.secrets if secret.entropy})
        return replace(apply.Applied("recorded", ("host1",), 1.0), **(self.outcomes.pop(0) if self.outcomes else {}))

    @contextmanager
    def _locked(self, *_args, **_options):
        yield SimpleNamespace(environment="recorded", check_lock=self.check_lock)

    @contextmanager
    def _recorded(self, *_args, **_options):
        yield SimpleNamespace(end_with=lambda *_: None)


@pytest.fixture
def team(recorded, monkeypatch):
    return Team(recorded, monkeypatch)


def test_these_are_all_the_secrets_that_rotate(recorded):
    by_way = {way: {one.key for one in recorded.secrets if one.rotation == way} for way in ("overlapping", "replacing")}
    assert by_way == {"overlapping": set(OVERLAPPING), "replacing": set(AT_ONCE)}
    assert [one.key for one in recorded.secrets if one.irreplaceable] == ["master_key"]


@pytest.mark.parametrize("name", [name for name in OVERLAPPING if name not in LASTING])
def test_a_new_value_is_accepted_before_clients_use_it_and_the_old_one_until_none_does(team, name):
    team.backend.change(name, lambda found: found.staged("a staged value"))
    team.escrowed(name, 2)
    assert team.rotate(name) == ([((1, 2),), ((2, 1),), ((2,),)], {})
    assert (team[name].step, team[name].active) == ("settled", 2)


@pytest.mark.parametrize("name", AT_ONCE)
def test_what_is_replaced_at_once_is_settled_only_when_hosts_were_told(team, name):
    team.outcomes.append({"faults": (Fault("host1", "It does not answer."),)})
    with pytest.raises(Refused, match="does not answer"):
        team.rotate(name)
    assert (team[name].step, team[name].active) == ("retired", 2)
    assert team.rotate(name) == ([((2,),)], {})
    assert team[name].step == "settled"


@pytest.mark.parametrize("name", LASTING)
def test_what_was_made_with_an_old_secret_is_good_to_its_end_and_not_longer(team, name):
    assert team.rotate(name)[0] == [((1, 2),), ((2, 1),)]
    for passed in (timedelta(), LASTING[name] - timedelta(seconds=1)):
        team.clock.time += passed
        states, waiting = team.rotate(name)
        assert states == [((2, 1),)]
        assert "until 2026-01-0" in waiting[name]
    team.clock.time += timedelta(minutes=2)
    assert team.rotate(name) == ([((2, 1),), ((2,),)], {})
    assert list(team.values(name)) == [2]


@pytest.mark.parametrize("name", LASTING)
def test_an_old_secret_is_refused_before_its_time_only_where_that_was_asked_for(team, name):
    assert team.rotate(name, at_once=True) == ([((1, 2),), ((2, 1),), ((2,),)], {})


def test_secrets_that_are_rotated_together_wait_each_for_its_own(team):
    states, waiting = team.rotate("redis_password", "jwt_secret")
    assert states == [((1, 2), (1, 2)), ((2, 1), (2, 1)), ((2,), (2, 1)), ((2,), (2, 1))]
    assert list(waiting) == ["jwt_secret"]


def test_no_client_uses_a_master_key_that_was_never_exported(team):
    team.escrowed("master_key", 1)
    for _ in range(2):
        states, waiting = team.rotate("master_key", at_once=True)
        assert states == [((1, 2),)]
        assert "an export for escrow" in waiting["master_key"]
        assert (team["master_key"].step, team["master_key"].active) == ("staged", 1)
    team.escrowed("master_key", 2)
    assert team.rotate("master_key") == ([((1, 2),), ((2, 1),), ((2,),)], {})


def test_every_master_key_there_ever_was_is_kept_and_of_other_secrets_only_the_last(team):
    for number in (2, 3):
        keys = team.values("master_key")
        team.rotate("master_key", "redis_password")
        team.escrowed("master_key", number)
        team.rotate("master_key")
        assert (team["master_key"].step, team["master_key"].active) == ("settled", number)
        assert team.values("master_key").items() > keys.items()
        assert list(team.values("redis_password")) == [number]
    assert len(set(team.values("master_key").values())) == 3


@pytest.mark.parametrize("name", OVERLAPPING)
@pytest.mark.parametrize("step", ["staged", "promoted", "retired"])
@pytest.mark.parametrize("end", ["a fault", "an interruption"])
def test_where_an_apply_fails_the_rotation_stays_at_its_step_and_no_value_is_lost(team, name, step, end):
    """A host that was not deployed to may still need the old value, and the database what is wrapped under it."""
    at = ["staged", "promoted", "retired"].index(step)
    failing = {"interrupted": True} if end == "an interruption" else {"faults": (Fault("host1", "It is wrapped."),)}
    team.outcomes += [*({} for _ in range(at)), failing]
    team.backend.change(name, lambda found: found.staged("a staged value"))
    team.escrowed(name, 1, 2)
    values = team.values(name)
    with pytest.raises((Refused, KeyboardInterrupt)):
        team.rotate(name, at_once=True)
    assert team[name].step == step
    assert len(team.deployed) == at + 1
    kept = values if step != "retired" or name == "master_key" else {2: values[2]}
    assert team.values(name) == kept
    team.rotate(name, at_once=True)
    assert (team[name].step, team[name].active) == ("settled", 2)


def _exported(team, tmp_path, name="escrow.age"):
    """Export the master key, and return the file with the private key that opens it."""
    identity = tmp_path / "identity"
    if not identity.exists():
        identity.write_text(age.generate_key())
    team.backend.forget()
    export.export("recorded", [age.public_key(identity.read_text())], tmp_path / name, everything=False)
    return tmp_path / name, identity


def test_what_is_read_back_is_noted_of_the_versions_that_were_read_and_no_other(team, tmp_path):
    """Somebody stages another master key while the old one's escrow file is compared: that one is in no file."""
    file, identity = _exported(team, tmp_path)
    team.backend.meanwhile = lambda other: other.change("master_key", lambda found: found.staged("the next key"))
    read_back.read_back("recorded", file, identity)
    assert [bool(kept.escrowed) for kept in team["master_key"].versions] == [True, False]
    assert "an export for escrow" in team.rotate("master_key")[1]["master_key"]


def test_an_escrow_file_of_another_key_proves_nothing(team, tmp_path):
    file, identity = _exported(team, tmp_path)
    team.backend.change("master_key", lambda found: replace(found, versions=Entry.first("another key").versions))
    with pytest.raises(Refused, match="does not hold the master_key that the backend keeps now"):
        read_back.read_back("recorded", file, identity)
    assert not team["master_key"].current.escrowed


def test_what_came_back_while_an_escrow_file_was_restored_is_not_overwritten(team, tmp_path):
    file, identity = _exported(team, tmp_path)
    del team.backend.documents["master_key"]
    team.backend.forget()
    team.backend.meanwhile = lambda other: other.change("master_key", lambda _: Entry.first("what somebody brought"))
    restore.restore("recorded", file, identity)
    assert team.values("master_key") == {1: "what somebody brought"}


def test_nothing_is_restored_once_the_lock_is_lost(team, tmp_path):
    def lost():
        raise LockError(Fault("host1", "Somebody released our lock by force."))

    file, identity = _exported(team, tmp_path)
    del team.backend.documents["master_key"]
    team.backend.forget()
    team.check_lock = lost
    with pytest.raises(LockError):
        restore.restore("recorded", file, identity)
    assert "master_key" not in team.backend.documents


def test_no_rotation_begins_once_the_lock_is_lost(team):
    def lost():
        raise LockError(Fault("host1", "Somebody released our lock by force."))

    team.check_lock = lost
    with pytest.raises(LockError):
        team.rotate("jwt_secret")
    assert (team["jwt_secret"].step, list(team.values("jwt_secret"))) == ("settled", [1])


def _broken(team):
    team.backend.forget()
    return {(one.component, one.claim) for one in doctor.findings(team.bound) if not one.holds}


def test_the_doctor_takes_a_master_key_for_exported_only_with_every_version_that_is_accepted(team):
    lacking = {("master_key", "It was exported for escrow, and read back")}
    assert _broken(team) == lacking
    team.escrowed("master_key", 1)
    assert _broken(team) == set()
    for step in (lambda found: found.staged(generate(32)), lambda found: found.promoted()):
        team.backend.change("master_key", step)
        assert lacking <= _broken(team)
    team.escrowed("master_key", 2)
    assert not lacking & _broken(team)


def test_the_doctor_tells_of_an_old_version_once_its_time_is_over_and_not_before(team):
    claim = ("jwt_secret", "No old version is accepted for longer than it must be")
    team.rotate("jwt_secret")
    assert claim not in _broken(team)
    team.clock.time += 25 * HOURS
    assert claim in _broken(team)


@pytest.mark.parametrize(
    ("answer", "holds"),
    [
        ('{"JWT_SECRET": null}', True),
        ('{"JWT_SECRET": "it does not sign"}', False),
        ('{"REDIS_URL": null}', False),
        ("{}", False),
        ("[]", False),
        ("Traceback", False),
        ("", False),
    ],
)
def test_a_secret_counts_as_accepted_only_where_a_host_said_so(answer, holds):
    assert check._judge(check._answers(answer), "JWT_SECRET", "")[0] is holds
