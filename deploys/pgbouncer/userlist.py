"""Who may log in to the pooler, and what it logs in to PostgreSQL with."""

from __future__ import annotations

from collections.abc import Iterable

from deploys.credentials.logins import DatabaseLogin
from deploys.faults import Fault, Refused


def userlist(logins: Iterable[DatabaseLogin]) -> str:
    """Return the text of userlist.txt. Holds passwords in clear: PgBouncer proves them to PostgreSQL with SCRAM."""
    return "".join(_line(login) for login in sorted(logins, key=lambda login: login.role))


def _line(login: DatabaseLogin) -> str:
    if any(character in login.password for character in "\n\r\0"):
        raise Refused(Fault(f"The password of {login.role}", "It has more than one line.", "keep it as one line"))
    return f'"{login.role}" "{_double_quotes(login.password)}"\n'


def _double_quotes(text: str) -> str:
    return text.replace('"', '""')
