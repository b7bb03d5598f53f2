"""Who may log in to the pooler, and what it logs in to PostgreSQL with."""

from __future__ import annotations

from deploys.faults import Fault, Refused


def userlist(user: str, password: str) -> str:
    """Return the text of userlist.txt. Holds the password in clear: PgBouncer proves it to PostgreSQL with SCRAM."""
    if any(character in password for character in "\n\r\0"):
        raise Refused(Fault(f"The password of {user}", "It has more than one line.", "keep it as one line"))
    return f'"{user}" "{_doubled(password)}"\n'


def _doubled(text: str) -> str:
    return text.replace('"', '""')
