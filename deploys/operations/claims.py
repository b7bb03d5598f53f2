"""What a component claims of its host, collected while the deploys are read: `verify` and a rollout try it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pyinfra.api.host import Host
from pyinfra.context import ctx_host

from deploys.component import Check


@dataclass(frozen=True)
class Claim:
    component: str
    check: Check
    deploy: str
    """The name that the component's operations go by in a plan."""
    stage: str = ""
    """At whose end it is due: the one in which it was claimed."""


_PLACE = "healthv1_claims"


def claim(component: str, checks: Iterable[Check]) -> None:
    """Claim `checks` of the current host. The last line of each component's deploy.

    They have to hold once the stage ends: what a later stage makes true is claimed there.
    """
    host = ctx_host.get()
    deploy = host.current_deploy_name or component
    claimed(host).extend(Claim(component, check, deploy) for check in checks)


def due_by(stage: str) -> None:
    """Have what the current host claimed since the last stage be due at the end of `stage`."""
    found = claimed(ctx_host.get())
    found[:] = [one if one.stage else replace(one, stage=stage) for one in found]


def claimed(host: Host) -> list[Claim]:
    """Return what the host's components claimed. It lies where the host's forecast does, and outlasts that."""
    found: list[Claim] = vars(host).setdefault(_PLACE, [])
    return found


def claims_of(host: Host) -> list[tuple[str, Check]]:
    return [(one.component, one.check) for one in claimed(host)]
