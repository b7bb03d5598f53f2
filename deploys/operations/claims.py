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
    gates: bool = True
    """Whether a rollout waits for it. Otherwise `verify` alone tries it."""


_PLACE = "healthv1_claims"


def claim(component: str, checks: Iterable[Check], *, gates: bool = True) -> None:
    """Claim `checks` of the current host. The last line of each component's deploy.

    They have to hold once the stage ends: what a later stage makes true is claimed there.
    + gates: whether a rollout waits for them. Otherwise `verify` alone tries them.
    """
    host = ctx_host.get()
    deploy = host.current_deploy_name or component
    claims_on(host).extend(Claim(component, check, deploy, gates=gates) for check in checks)


def close_stage(stage: str) -> None:
    """Have what the current host claimed since the last stage be due at the end of `stage`."""
    claims = claims_on(ctx_host.get())
    claims[:] = [entry if entry.stage else replace(entry, stage=stage) for entry in claims]


def claims_on(host: Host) -> list[Claim]:
    """Return what the host's components claimed. It lies where the host's forecast does, and outlasts that."""
    claims: list[Claim] = vars(host).setdefault(_PLACE, [])
    return claims


def checks_on(host: Host) -> list[tuple[str, Check]]:
    return [(entry.component, entry.check) for entry in claims_on(host)]
