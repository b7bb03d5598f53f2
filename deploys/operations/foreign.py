"""Nothing foreign is changed, stopped, moved or removed that nobody adopted: refused ahead of the first change."""

from __future__ import annotations

from collections.abc import Iterable

from pyinfra.context import host

from deploys.faults import Refused
from deploys.foreign import Foreign
from deploys.stack import Stack


def adopted_things() -> tuple[str, ...]:
    """Return the foreign things that group_data lets this host's apply take over."""
    stack = host.data.get("stack")
    return stack.adopt if isinstance(stack, Stack) else ()


def refuse_foreign(foreign: Iterable[Foreign]) -> tuple[Foreign, ...]:
    """Return what is adopted. Raises `Refused` with everything else; call it ahead of an operation's first command."""
    foreign, names = tuple(foreign), adopted_things()
    taken_over = tuple(thing for thing in foreign if thing.adoptable and thing.thing in names)
    Refused.unless(thing.fault(host.name) for thing in foreign if thing not in taken_over)
    return taken_over
