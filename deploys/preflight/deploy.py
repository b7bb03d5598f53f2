"""Refuse what cannot work before anything is changed, then make the package system ready."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timezone

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from deploys.component import Secret
from deploys.facts.machine import Machine, MachineState
from deploys.facts.probe import Succeeds
from deploys.faults import Fault, Refused
from deploys.operations.change import Change
from deploys.operations.claims import claim
from deploys.operations.files import absent
from deploys.operations.packages import repair_packages
from deploys.operations.ports import refuse_taken_ports
from deploys.operations.secrets import store_secrets
from deploys.operations.shell import ensure
from deploys.ports import port_claims
from deploys.preflight.assessment import assess, clock_faults
from deploys.preflight.checks import checks
from deploys.preflight.folder import merge_folders
from deploys.preflight.settings import Preflight
from deploys.secret import Backend
from deploys.stack import Stack, Topology

NAME_RESOLVES = 'getent hosts "$(hostname)"'
CAN_SYNCHRONIZE = 'test "$(timedatectl show -p CanNTP --value)" = yes'


@deploy("Preflight")
def deploy_preflight(
    settings: Preflight,
    stack: Stack,
    topology: Topology,
    parts: Iterable[str],
    status_port: int,
    backend: Backend | None,
    secrets: tuple[Secret, ...],
    escrowed: tuple[Secret, ...],
    repository_port: int = 0,
) -> None:
    """Measure the host. `secrets` are those that this run has to have; the backend is asked on one host only.

    + escrowed: of these, the irreplaceable ones have to have been exported for escrow.
    """
    Refused.unless(_faults(host.get_fact(MachineState), settings))
    claims = tuple(port_claims(stack, topology, parts, status_port, repository_port))
    refuse_taken_ports(name="See that our ports are free", claims=claims)
    if backend and secrets:
        Refused.unless(backend.unexported(tuple(secret for secret in secrets if secret in escrowed)))
        store_secrets(name="Keep generated secrets in the backend", backend=backend, secrets=secrets)
    ensure(
        name="Resolve the host's own name",  # else every sudo waits for DNS
        change=Change("setting", "/etc/hosts", "update", "the host does not resolve its own name", becomes="127.0.1.1"),
        test=NAME_RESOLVES,
        command='printf "127.0.1.1 %s\\n" "$(hostname)" >> /etc/hosts',
    )
    # Up to revision df5e1d9 ours lay there, and told the owner's own apt what only ours had to know.
    absent(name="Leave apt's configuration to the owner", path="/etc/apt/apt.conf.d/90health-v1")
    absent(name="Leave to the owner what packages start", path="/usr/sbin/policy-rc.d")
    repair_packages(name="Finish interrupted package installations")
    merge_folders()
    claim("preflight", checks())


def _faults(machine: Machine, settings: Preflight) -> Iterator[Fault]:
    yield from assess(host.name, machine, settings)
    clock_is_off = abs(machine.clock_offset) > settings.clock_tolerance
    can_synchronize = clock_is_off and host.get_fact(Succeeds, test=CAN_SYNCHRONIZE)
    yield from clock_faults(host.name, machine, settings, datetime.now(timezone.utc), can_synchronize=can_synchronize)
