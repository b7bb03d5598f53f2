"""What a cluster holds is taken for ours only where it is: a password by its verifier, a master key by its fingerprint.

The cluster is a file of what it would answer, asked by the real facts; what it is told ends in another file.
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploys.cluster import Cluster
from deploys.credentials import scram
from deploys.credentials.master_key import fingerprint
from deploys.operations.master_key import refuse_wrong_master_key
from deploys.operations.roles import NO_POWERS, drop_old_logins, login_roles, role
from deploys.secret import Secret, Version

PASSWORD, OTHER = "the password of now", "another password"
KEYS = [bytes([number]) * 32 for number in range(4)]


@dataclass(frozen=True)
class Stand(Cluster):
    """A cluster that answers every question with the lines of a file."""

    folder: str = ""

    def sql(self, *_):
        return f"cat {self.folder}/answer"

    @property
    def psql(self):
        return f"sh -c 'cat >> {self.folder}/told' --"


@dataclass
class Holding:
    """A backend that holds these values, the active one first, with their numbers."""

    values: dict

    def versions(self, _secret):
        return tuple(Version(number, value) for number, value in self.values.items())

    def missing(self, secrets):
        return () if self.values else secrets

    def __str__(self):
        return "vault:m/p"


def secret(key, values):
    return Secret(key, 32, backend=Holding(values))


@pytest.fixture
def cluster(tmp_path):
    (tmp_path / "told").touch()
    return Stand(17, 5432, folder=str(tmp_path))


def answers(cluster, *rows):
    Path(cluster.folder, "answer").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def told(cluster):
    return Path(cluster.folder, "told").read_text()


def stored(name, password, **other):
    """Return what a cluster says of a role that logs in with this password; None is no password at all."""
    verifier = scram.verifier(password) if password else ""
    return {
        "name": name,
        "login": True,
        **NO_POWERS,
        "salt": verifier.rpartition("$")[0] or None,
        "digest": scram.digest(verifier),
        **other,
    }


def test_a_role_with_the_password_of_the_backend_is_left_alone(converge, cluster):
    answers(cluster, stored("owner", PASSWORD))
    run = converge(lambda: role(name="owner", cluster=cluster, role="owner", password=secret("p", {1: PASSWORD})))
    assert (run.planned, run.faults, told(cluster)) == ([], (), "")


def _md5(name):
    """Return a role as it is whose password was set before SCRAM."""
    return {**stored(name, None), "digest": scram.digest("md5" + "0" * 32)}


@pytest.mark.parametrize(
    "found",
    [
        stored("owner", OTHER),
        stored("owner", None),
        _md5("owner"),
        # The salt of ours, and the rest of a verifier of another: what is told of a salt is no proof.
        {**stored("owner", PASSWORD), "digest": stored("owner", OTHER)["digest"]},
        {**stored("owner", PASSWORD), "digest": scram.digest("")},
    ],
    ids=["another", "none", "md5", "the salt alone", "nothing"],
)
def test_a_role_whose_verifier_is_of_another_password_has_another_and_gets_ours(converge, cluster, found):
    answers(cluster, found)
    run = converge(lambda: role(name="owner", cluster=cluster, role="owner", password=secret("p", {1: PASSWORD})))
    [change] = run.planned
    assert (change.target, change.was, change.becomes) == ("owner", "another password", "password rotated")
    assert run.made == run.planned
    set_to = told(cluster).partition("password '")[2].partition("'")[0]
    assert set_to == scram.verifier(PASSWORD, set_to.rpartition("$")[0])
    assert set_to != scram.verifier(OTHER, set_to.rpartition("$")[0])
    assert PASSWORD not in told(cluster)


def test_of_two_logins_each_needs_the_version_of_its_own(converge, cluster):
    """While a password is rotated both are accepted, and neither login may have the other's."""
    both = secret("p", {2: PASSWORD, 1: OTHER})
    answers(cluster, *(stored(name, value, **{"member of": ["u"]}) for name, value in (("u_a", OTHER), ("u_b", OTHER))))
    run = converge(lambda: login_roles(name="logins", cluster=cluster, role="u", password=both))
    assert [(change.target, change.was) for change in run.planned] == [("u_b", "another password")]


def test_a_login_goes_once_its_version_is_accepted_no_more_and_not_before(converge, cluster):
    def planned(values):
        logins = {"cluster": cluster, "role": "u", "password": secret("p", values), "database": "d", "owner": "o"}
        run = converge(lambda: drop_old_logins(name="logins", **logins))
        return [(change.target, change.action) for change in run.planned]

    holder = {**stored("u", None), "login": False}
    answers(cluster, holder, stored("u_a", OTHER), stored("u_b", PASSWORD))
    assert planned({2: PASSWORD, 1: OTHER}) == []
    assert told(cluster) == ""
    assert planned({2: PASSWORD}) == [("u_a", "remove")]


def _opens(converge, cluster, *masters, held):
    answers(cluster, *({"master": fingerprint(key)} for key in masters))
    values = {number: base64.b64encode(key).decode() for number, key in held.items()}
    key = secret("master_key", values)
    run = converge(lambda: refuse_wrong_master_key(name="key", cluster=cluster, database="d", master_key=key))
    return [fault.what for fault in run.faults]


@pytest.mark.parametrize(
    ("masters", "held"),
    [((), {1: KEYS[1]}), ((), {}), (KEYS[1:2], {1: KEYS[1]}), (KEYS[1:3], {2: KEYS[2], 1: KEYS[1]})],
    ids=["nothing stored", "nothing at all", "the same", "both while it is rotated"],
)
def test_a_master_key_that_opens_every_stored_data_key_is_taken(converge, cluster, masters, held):
    assert _opens(converge, cluster, *masters, held=held) == []


@pytest.mark.parametrize(
    ("masters", "held"),
    [(KEYS[1:2], {2: KEYS[2]}), (KEYS[1:3], {2: KEYS[2]}), (KEYS[1:3], {3: KEYS[3], 2: KEYS[2]})],
    ids=["another", "one is still wrapped under the old", "one is still wrapped under an older"],
)
def test_an_old_master_key_is_not_taken_from_hosts_while_a_data_key_is_wrapped_under_it(
    converge, cluster, masters, held
):
    [what] = _opens(converge, cluster, *masters, held=held)
    assert "encrypted under another key" in what


def test_where_data_are_stored_no_master_key_is_made_up(converge, cluster):
    [what] = _opens(converge, cluster, KEYS[1], held={})
    assert "the key that opens them is not in the backend" in what
