"""Refuse what cannot work before anything is changed, then make the package system ready."""

from __future__ import annotations

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from deploys.component import Secret, template
from deploys.facts.machine import MachineState
from deploys.faults import Refused
from deploys.operations.change import Change
from deploys.operations.claims import claim
from deploys.operations.files import directory, file
from deploys.operations.packages import mended
from deploys.operations.secrets import stored
from deploys.operations.shell import ensure
from deploys.preflight.assessment import assess
from deploys.preflight.checks import checks
from deploys.preflight.settings import Preflight
from deploys.secret import Backend

NAME_RESOLVES = 'getent hosts "$(hostname)"'


@deploy("Preflight")
def deploy_preflight(
    settings: Preflight, backend: Backend | None, secrets: tuple[Secret, ...], require_escrow: bool
) -> None:
    """Measure the host. `secrets` are those that this run has to have; the backend is asked on one host only."""
    Refused.unless(assess(host.name, host.get_fact(MachineState), settings))
    if backend and secrets:
        Refused.unless(backend.unexported(secrets) if require_escrow else ())
        stored(name="Keep generated secrets in the backend", backend=backend, secrets=secrets)
    ensure(
        name="Resolve the host's own name",  # else every sudo waits for DNS
        change=Change("setting", "/etc/hosts", "update", "the host does not resolve its own name", becomes="127.0.1.1"),
        test=NAME_RESOLVES,
        command='printf "127.0.1.1 %s\\n" "$(hostname)" >> /etc/hosts',
    )
    file(
        name="Wait for other package installations",
        path="/etc/apt/apt.conf.d/90health-v1",
        content=template("preflight/90health-v1"),
    )
    file(
        name="Let services wait for their configuration",
        path="/usr/sbin/policy-rc.d",
        content=template("preflight/policy-rc.d"),
        mode="0755",
        test='sh -n "$1"',
    )
    mended(name="Finish interrupted package installations")
    directory(name="Make a place for stamps", path="/var/lib/health-v1", mode="0700")
    claim("preflight", checks())
