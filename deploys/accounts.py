"""Whose an account, its group and its home are: nobody else's is given another home or shell, or locked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deploys.foreign import Foreign

_TRAITS = {
    "person": "its number is a person's",
    "files": "its home holds files",
    "keys": "keys open it",
    "password": "it has a password",
}
_OUT = "set stack.user to a name that is free"


@dataclass(frozen=True)
class FoundAccount:
    """An account, and the group of its name, as far as they tell of their owner."""

    uid: str = ""
    """Empty where there is no such account."""
    home: str = ""
    members: Sequence[str] | None = None
    """Of the group: accounts besides the one of its name. None where there is no such group."""
    traits: frozenset[str] = frozenset()
    """person, files, keys, password: of the account. people: the group's number is one of people's."""


@dataclass(frozen=True)
class HomePlace:
    """What lies where the home is to be."""

    ours: bool = False
    """A whole release of ours is in it."""
    kind: str = ""
    """What it is, if it is no directory: "symbolic link"."""
    holds: tuple[str, ...] = ()
    """A few of the files in it that we never wrote."""


def is_ours(account: str, home: str, marked: str, found: FoundAccount, place: HomePlace) -> bool:
    """Whether the account is: a mark says so, or it lives where our releases are."""
    return marked == account or (found.home == home and place.ours)


def of_account(account: str, home: str, login: str, found: FoundAccount, *, ours: bool) -> Iterator[Foreign]:
    """Yield why we must not have the account `account`.

    + login: whom we log in as.
    """
    if account == login:
        what = "You log in to this host with it."
        follows = "An apply would give it another home, and its keys would open it no longer."
        yield Foreign(f"account {account}", what, follows, f"{_OUT}, or log in with another account")
    elif found.uid and not ours:
        yield from _foreign_account(account, home, found)
    elif not ours and found.members is not None and (found.members or "people" in found.traits):
        what = f"It is somebody's{': ' + ', '.join(found.members) if found.members else ''}."
        follows = "Its members could read what the API writes."
        yield Foreign(f"group {account}", what, follows, _OUT)


def _foreign_account(account: str, home: str, found: FoundAccount) -> Iterator[Foreign]:
    away = found.home != home
    reasons = [told for trait, told in _TRAITS.items() if trait in found.traits and (away or trait != "files")]
    reasons += [f"its home is {found.home}"] * away
    if reasons:
        what = f"It is there, and not ours: {', '.join(reasons)}."
        follows = "An apply would give it another home, group and shell, and lock it: its owner could not log in."
        yield Foreign(f"account {account}", what, follows, _OUT)


def of_home(home: str, place: HomePlace, *, marked: bool) -> Iterator[Foreign]:
    """Yield why we must not have the directory `home`."""
    if place.ours or marked or not (place.kind or place.holds):
        return
    what = f"It is a {place.kind}." if place.kind else f"It holds what is not ours: {', '.join(place.holds)} …"
    follows = "An apply would change whose it is, and who may read it."
    yield Foreign(f"directory {home}", what, follows, "set stack.home to a path that is free, or move it away")
