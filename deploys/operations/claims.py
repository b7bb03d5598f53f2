"""What a component claims of its host, collected while the deploys are read: `verify` runs exactly these."""

from __future__ import annotations

from collections.abc import Iterable
from weakref import WeakKeyDictionary

from pyinfra.api.host import Host
from pyinfra.context import ctx_host

from deploys.component import Check

_claims: WeakKeyDictionary[Host, list[tuple[str, Check]]] = WeakKeyDictionary()


def claim(component: str, checks: Iterable[Check]) -> None:
    """Claim `checks` of the current host. The last line of each component's deploy."""
    _claims.setdefault(ctx_host.get(), []).extend((component, check) for check in checks)


def claims_of(host: Host) -> list[tuple[str, Check]]:
    return _claims.get(host, [])
