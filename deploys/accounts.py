"""Whose an account, its group and its home are: nobody else's is given another home or shell, or locked."""

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
    """An account, and the group of its name, as far as they tell of their owner."""

    uid: str = ""
    """Empty where there is no such account."""
    home: str = ""
    members: Sequence[str] | None = None
    """Of the group: accounts besides the one of its name. None where there is no such group."""
    traits: frozenset[str] = frozenset()
    """person, files, keys, password: of the account. people: the group's number is one of people's."""


@dataclass(frozen=True)
class HomeState:
    """What lies where the home is to be."""

    ours: bool = False
    """A whole release of ours is in it."""
    kind: str = ""
    """What it is, if it is no directory: "symbolic link"."""
    foreign_files: tuple[str, ...] = ()
    """A few of the files in it that we never wrote."""


def is_ours(account: str, home: str, marked: str, evidence: AccountEvidence, home_state: HomeState) -> bool:
    """Whether the account is: a mark says so, or it lives where our releases are."""
    return marked == account or (evidence.home == home and home_state.ours)


def account_conflicts(
    account: str, home: str, login: str, evidence: AccountEvidence, *, ours: bool
) -> Iterator[Foreign]:
    """Yield why we must not have the account `account`.

    + login: whom we log in as.
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
    """Yield why we must not have the directory `home`."""
    if home_state.ours or marked or not (home_state.kind or home_state.foreign_files):
        return
    what = (
        f"It is a {home_state.kind}."
        if home_state.kind
        else f"It holds what is not ours: {', '.join(home_state.foreign_files)} …"
    )
    consequence = "An apply would change whose it is, and who may read it."
    yield Foreign(f"directory {home}", what, consequence, "set stack.home to a path that is free, or move it away")
