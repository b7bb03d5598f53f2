"""An account, a group or a home that is somebody else's is not ours to take."""

import getpass
import subprocess
from pathlib import Path

import pytest

from deploys.accounts import AccountEvidence, HomeState, account_conflicts, home_conflicts, is_ours
from deploys.facts.account import AccountOwner, HomeOwner

US, HOME = "health-v1", "/opt/health-v1"
BARE = AccountEvidence(uid="998", home=HOME, members=())


def _refused(found, *, login="admin", ours=False):
    return [(one.thing, one.what) for one in account_conflicts(US, HOME, login, found, ours=ours)]


def test_whom_we_log_in_as_is_refused_even_where_it_is_ours():
    for ours in (True, False):
        ((thing, what),) = _refused(BARE, login=US, ours=ours)
        assert thing == "account health-v1"
        assert "You log in" in what


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (AccountEvidence("1001", "/home/health-v1", (), frozenset({"person"})), "a person's"),
        (AccountEvidence("998", "/srv/x", (), frozenset({"files"})), "its home holds files, its home is /srv/x"),
        (AccountEvidence("998", HOME, (), frozenset({"keys"})), "keys open it"),
        (AccountEvidence("998", HOME, (), frozenset({"password"})), "it has a password"),
        (AccountEvidence("998", "/nonexistent", ()), "its home is /nonexistent"),
    ],
)
def test_somebody_elses_account_is_refused_and_ours_is_drift(found, told):
    ((thing, what),) = _refused(found)
    assert thing == "account health-v1"
    assert told in what
    assert _refused(found, ours=True) == []


def test_an_account_as_we_make_it_harms_nobody():
    assert _refused(BARE) == []
    assert _refused(AccountEvidence(uid="998", home=HOME, members=(), traits=frozenset({"files"}))) == [], (
        "the home's to tell"
    )
    assert _refused(AccountEvidence()) == []


def test_a_group_of_that_name_is_refused_if_somebody_is_in_it_or_it_is_peoples():
    assert _refused(AccountEvidence(members=("eve",)))[0] == ("group health-v1", "It is somebody's: eve.")
    assert _refused(AccountEvidence(members=(), traits=frozenset({"people"})))
    assert _refused(AccountEvidence(members=())) == []
    assert _refused(AccountEvidence(members=("eve",)), ours=True) == []


def test_an_account_is_ours_by_a_mark_or_where_our_releases_are():
    assert is_ours(US, HOME, US, AccountEvidence(), HomeState())
    assert is_ours(US, HOME, "", BARE, HomeState(ours=True))
    assert not is_ours(US, HOME, "other", BARE, HomeState())
    assert not is_ours(US, HOME, "", AccountEvidence("998", "/srv/x"), HomeState(ours=True))


def test_a_home_with_somebodys_files_is_refused_unless_it_is_ours():
    theirs = HomeState(foreign_files=("data/report", "notes"))
    (found,) = home_conflicts(HOME, theirs, marked=False)
    assert found.thing == "directory /opt/health-v1"
    assert "data/report" in found.what
    assert list(home_conflicts(HOME, theirs, marked=True)) == []
    assert list(home_conflicts(HOME, HomeState(), marked=False)) == []
    assert "symbolic link" in next(home_conflicts(HOME, HomeState(kind="symbolic link"), marked=False)).what


def _asked(fact, argument):
    command = fact.command(argument).get_raw_value()
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    return fact.process(done.stdout.splitlines())


def test_what_lies_in_a_home_is_told_from_what_we_make_there(tmp_path):
    for name in ("bin", "data", "releases/x"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / ".env").touch()
    (tmp_path / "releases/x/half").touch()
    assert _asked(HomeOwner(), str(tmp_path)) == HomeState()
    (tmp_path / "data/it's a report").touch()
    assert _asked(HomeOwner(), str(tmp_path)) == HomeState(foreign_files=("data/it's a report",))
    (tmp_path / "releases/x/COMPLETE").touch()
    assert _asked(HomeOwner(), str(tmp_path)) == HomeState(ours=True)
    (tmp_path / "link").symlink_to(tmp_path / "data")
    assert _asked(HomeOwner(), str(tmp_path / "link")).kind == "symbolic link"
    assert _asked(HomeOwner(), str(tmp_path / "none")) == HomeState()


def test_an_account_of_this_machine_is_told():
    me = _asked(AccountOwner(), getpass.getuser())
    assert me.home == str(Path("~").expanduser()) or me.home
    assert "person" in me.traits, "root, and whoever is a person"
    nobody = _asked(AccountOwner(), "daemon")
    assert (nobody.uid, nobody.home, list(nobody.members)) == ("1", "/usr/sbin", [])
    assert "person" not in nobody.traits
    assert _asked(AccountOwner(), "nobody-is-called-this") == AccountEvidence()
