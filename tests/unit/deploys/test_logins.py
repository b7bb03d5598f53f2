"""Two logins take turns; each version of the password has one of them."""

import pytest

from deploys.credentials.logins import accepted_names, login_names, logins
from deploys.faults import Refused
from deploys.stack import Stack
from tests.unit.known import Known, value


def _password(*numbers):
    return Stack(domain="api.example.com").bind(Known(numbers)).database_password


@pytest.mark.parametrize(
    ("numbers", "roles"),
    [((1,), ("u_a",)), ((2,), ("u_b",)), ((1, 2), ("u_a", "u_b")), ((2, 1), ("u_b", "u_a")), ((3, 2), ("u_a", "u_b"))],
)
def test_the_active_login_comes_first(numbers, roles):
    password = _password(*numbers)
    assert accepted_names("u", password) == roles
    assert [(one.role, one.password) for one in logins("u", password)] == [
        (role, value("database_password", number)) for role, number in zip(roles, numbers, strict=True)
    ]
    assert set(roles) <= set(login_names("u"))


def test_two_versions_that_share_a_login_are_refused_by_reference():
    with pytest.raises(Refused, match=r"#database_password: Two versions are accepted that share the login u_a"):
        accepted_names("u", _password(3, 1))


def test_a_login_shows_no_password():
    assert value("database_password") not in repr(logins("u", _password(1)))


def test_a_role_whose_logins_would_be_cut_short_is_refused():
    assert len(login_names(Stack(domain="api.example.com", database_user="u" * 61).database_user)[0]) == 63
    with pytest.raises(Refused, match="database_user"):
        Stack(domain="api.example.com", database_user="u" * 62)
