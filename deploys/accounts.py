"""Who owns an account, its group and its home. Another owner's account gets no new home or shell, and no lock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deploys.foreign import Foreign

_TRAIT_REASONS = {
    "person": "its number is a person's",
    "files": "its home holds files",
    "keys": "keys open it",
    "password": "it has a password",
}
_RENAME_HINT = "set stack.user to a name that is free"


@dataclass(frozen=True)
class AccountEvidence:
    """What an account, and the group of the same name, show of their owner."""

    uid: str = ""
    """Empty where there is no such account."""
    home: str = ""
    members: Sequence[str] | None = None
    """The other accounts in the group. None without such a group."""
    traits: frozenset[str] = frozenset()
    """Of the account: person, files, keys, password. Of the group: people (its GID is in the range for people)."""


@dataclass(frozen=True)
class HomeState:
    """What is at the path of the home."""

    ours: bool = False
    """It holds a complete release of ours."""
    kind: str = ""
    """Its file type, unless it is a directory: "symbolic link"."""
    foreign_files: tuple[str, ...] = ()
    """The first few files in it that are not ours."""


def is_ours(account: str, home: str, marked: str, evidence: AccountEvidence, home_state: HomeState) -> bool:
    """Whether the account is ours: it is marked, or our releases lie in its home."""
    return marked == account or (evidence.home == home and home_state.ours)


def account_conflicts(
    account: str, home: str, login: str, evidence: AccountEvidence, *, ours: bool
) -> Iterator[Foreign]:
    """Yield the reasons against taking over `account`.

    + login: the account of our SSH connection.
    """
    if account == login:
        what = "You log in to this host with it."
        consequence = "An apply would give it another home, and its keys would open it no longer."
        yield Foreign(f"account {account}", what, consequence, f"{_RENAME_HINT}, or log in with another account")
    elif evidence.uid and not ours:
        yield from _foreign_account_conflict(account, home, evidence)
    elif not ours and evidence.members is not None and (evidence.members or "people" in evidence.traits):
        what = f"It is somebody's{': ' + ', '.join(evidence.members) if evidence.members else ''}."
        consequence = "Its members could read what the API writes."
        yield Foreign(f"group {account}", what, consequence, _RENAME_HINT)


def _foreign_account_conflict(account: str, home: str, evidence: AccountEvidence) -> Iterator[Foreign]:
    lives_elsewhere = evidence.home != home
    reasons = [
        reason
        for trait, reason in _TRAIT_REASONS.items()
        if trait in evidence.traits and (lives_elsewhere or trait != "files")
    ]
    reasons += [f"its home is {evidence.home}"] * lives_elsewhere
    if reasons:
        what = f"It is there, and not ours: {', '.join(reasons)}."
        consequence = "An apply would give it another home, group and shell, and lock it: its owner could not log in."
        yield Foreign(f"account {account}", what, consequence, _RENAME_HINT)


def home_conflicts(home: str, home_state: HomeState, *, marked: bool) -> Iterator[Foreign]:
    """Yield the reason against taking over the directory `home`."""
    if home_state.ours or marked or not (home_state.kind or home_state.foreign_files):
        return
    what = (
        f"It is a {home_state.kind}."
        if home_state.kind
        else f"It holds what is not ours: {', '.join(home_state.foreign_files)} …"
    )
    consequence = "An apply would change whose it is, and who may read it."
    yield Foreign(f"directory {home}", what, consequence, "set stack.home to a path that is free, or move it away")
