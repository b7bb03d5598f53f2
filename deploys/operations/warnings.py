"""What a plan warns of: nothing that an apply changes, and nothing that keeps it from running."""

from __future__ import annotations

from pyinfra.api.host import Host
from pyinfra.context import ctx_host

from deploys.faults import Fault

_PLACE = "healthv1_warnings"


def warn(what: str, hint: str) -> None:
    """Have the plan warn of the current host. Called while the deploys are read."""
    host = ctx_host.get()
    warnings_on(host).append(Fault(host.name, what, hint))


def warnings_on(host: Host) -> list[Fault]:
    warnings: list[Fault] = vars(host).setdefault(_PLACE, [])
    return warnings
