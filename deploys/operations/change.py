"""What an operation would change, as data: the words a plan is made of."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.host import Host
from pyinfra.context import ctx_host

Commands = Generator[PyinfraCommand, None, None]
Found = TypeVar("Found")


@dataclass(frozen=True)
class Change:
    kind: str
    """file, directory, link, package, unit, role, database, setting, rule, certificate, release, secret …"""
    target: str
    action: str
    """create, update, remove, install, enable, start, restart, reload, run …"""
    why: str = ""
    diff: str = ""
    """A unified diff; of a file that is created, all of it. Never for a file that holds secrets."""
    was: str = ""
    """What is there before, in a few words: a mode and owner, a state, a version. Empty for what is not there."""
    becomes: str = ""
    """What is there afterwards, in the same words."""
    effect: str = ""
    """Who is interrupted by it, and what happens meanwhile. Empty when that goes without saying."""


_listener: ContextVar[list[Change] | None] = ContextVar("listener", default=None)
_silent: ContextVar[bool] = ContextVar("silent", default=False)
_created: WeakKeyDictionary[Host, set[tuple[str, str]]] = WeakKeyDictionary()
_foreseen: WeakKeyDictionary[Host, set[str]] = WeakKeyDictionary()
_planned: WeakKeyDictionary[Host, dict[str, Any]] = WeakKeyDictionary()
_agreed: WeakKeyDictionary[Host, dict[str, list[Change]]] = WeakKeyDictionary()
_brought: WeakKeyDictionary[Host, dict[str, str]] = WeakKeyDictionary()


@contextmanager
def listening() -> Iterator[list[Change]]:
    """Collect what the operations evaluated in this context announce."""
    heard: list[Change] = []
    token = _listener.set(heard)
    try:
        yield heard
    finally:
        _listener.reset(token)


@contextmanager
def unheard() -> Iterator[None]:
    """Let operations be evaluated for the facts that they ask for: nothing that they announce here is foreseen."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def announce(change: Change, *, foreseeable: bool = True) -> None:
    """Say what this operation is about to change. Called before the first command of an operation.

    + foreseeable: a service may have to take the change up: a file's content, but not its mode.
    """
    if foreseeable:
        foresee(change.target)
    if _planning() and change.action == "create":
        _created.setdefault(ctx_host.get(), set()).add((change.kind, change.target))
    heard = _listener.get()
    if heard is not None:
        heard.append(change)


def foresee(target: str) -> None:
    """Let later operations of this plan know that `target` is going to change."""
    if _planning():
        _foreseen.setdefault(ctx_host.get(), set()).add(target)


def foreseen(*targets: str) -> list[str]:
    """Return which of `targets` an earlier operation of this plan is going to change.

    While executing the answer is empty: then the host itself knows.
    """
    return [] if ctx_host.get().state.is_executing else promised(*targets)


def promised(*targets: str) -> list[str]:
    """Return which of `targets` the plan said would change, also while executing it."""
    return [target for target in targets if target in _foreseen.get(ctx_host.get(), ())]


def forget_promises(host: Host) -> None:
    """Let what is asked from now on be answered by the host alone: what was planned for it has been made."""
    for memory in (_created, _foreseen, _planned, _brought, _agreed):
        memory.pop(host, None)


def was_missing(kind: str, target: str) -> bool:
    """Whether the plan found nothing there: what a package brought meanwhile is not what this run began with."""
    return (kind, target) in _created.get(ctx_host.get(), ())


def as_planned(name: str, find: Callable[[], Found]) -> Found:
    """Return what the plan found of `name`, also when the run has brought other news since: fresh lists of packages."""
    said = _planned.setdefault(ctx_host.get(), {})
    if ctx_host.get().state.is_executing and name in said:
        return said[name]  # type: ignore[no-any-return]
    found = find()
    if _planning():
        said[name] = found
    return found


def falls_to(operation: str, target: str) -> bool:
    """Whether `operation` brings what is missing: the first of a plan to say so, and in its execution any."""
    return not _planning() or _brought.setdefault(ctx_host.get(), {}).setdefault(target, operation) == operation


def as_agreed(operation: str, changes: Iterable[Change]) -> list[Change]:
    """Return what an operation has to do: `changes`, and while executing first of all what the plan said of it.

    An earlier operation may have brought some of that about: an account that is made anew may get the number that its
    files have. The plan tells of the host before and after, so it counts as made, and is made sure of.
    """
    found, said = list(changes), _agreed.setdefault(ctx_host.get(), {})
    if _planning():
        said[operation] = found
    agreed = said.get(operation, []) if ctx_host.get().state.is_executing else []
    return agreed + [change for change in found if all(change.action != one.action for one in agreed)]


def _planning() -> bool:
    return not ctx_host.get().state.is_executing and not _silent.get()
