"""Refuses settings that have no canonical form, and so no digest: a saved plan with one would always be stale."""

from __future__ import annotations

from collections.abc import Iterator

from pyinfra.api.inventory import Inventory

from deploys.component import Settings
from healthv1.errors import Fault
from healthv1.hosts.known_names import own_names, sources
from healthv1.plan.digests import Formless, canonical_unrevealed


def formless_settings(inventory: Inventory, environment: str) -> Iterator[Fault]:
    """Yield a fault for each setting, and each of the team's own names, without the canonical form for a digest."""
    data = sources(inventory, environment)
    own = own_names(data)
    for where, values in data:
        for name, value in values.items():
            if name in own or isinstance(value, Settings):
                yield from _formless(where, name, value)


def _formless(where: str, name: str, value: object) -> Iterator[Fault]:
    try:
        canonical_unrevealed(value)
    except Formless as error:
        yield Fault(where, f"{'.'.join([name, *error.path])} holds {error.what}.", error.hint)
