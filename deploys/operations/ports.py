"""No part of ours is begun beside somebody who has its port: refused while a plan is made."""

from __future__ import annotations

from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.facts.listeners import Listeners
from deploys.facts.marks import Marks
from deploys.operations.change import Commands
from deploys.operations.foreign import refuse_foreign
from deploys.ports import PortClaim, port_conflicts


@operation()
def refuse_taken_ports(claims: tuple[PortClaim, ...]) -> Commands:
    """Refuse ports that are listened on by what is not ours."""
    listening = host.get_fact(Listeners, claims=claims, marks=host.get_fact(Marks))
    refuse_foreign(port_conflicts(claims, listening.rivals, listening.used_ports))
    host.noop("nobody else listens on our ports")
    yield from ()
