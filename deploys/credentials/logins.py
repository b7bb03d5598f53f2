"""The roles that the API logs in as: two that take turns, so that one password can be replaced beside the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from deploys.faults import Fault, Refused
from deploys.secret import Secret


@dataclass(frozen=True)
class DatabaseLogin:
    role: str
    password: str = field(repr=False)


def login_names(user: str) -> tuple[str, str]:
    """Return both logins of the role that holds the API's rights, whether they exist or not."""
    return f"{user}_a", f"{user}_b"


def accepted_names(user: str, password: Secret) -> tuple[str, ...]:
    """Return the names of the logins that servers accept, the active one first. Reveals nothing. Raises `Refused`."""
    return _names_by_version(user, password, password.numbers())


def logins(user: str, password: Secret) -> tuple[DatabaseLogin, ...]:
    """Return the same with their passwords. Call it only to write the secret file."""
    versions = password.versions()
    roles = _names_by_version(user, password, (version.number for version in versions))
    return tuple(DatabaseLogin(role, version.value) for role, version in zip(roles, versions, strict=True))


def _names_by_version(user: str, password: Secret, numbers: Iterable[int]) -> tuple[str, ...]:
    odd, even = login_names(user)
    roles = tuple(odd if number % 2 else even for number in numbers)
    if len(set(roles)) != len(roles):
        what = f"Two versions are accepted that share the login {roles[0]}."
        raise Refused(Fault(str(password), what, "keep one of them, or give the newer one the number after the older"))
    return roles
