"""The secrets that an environment's settings name, each bound to its backend. No host is connected to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State
from pyinfra.context import ctx_state

from deploys.component import Secret, Settings
from deploys.environment.settings import Environment
from healthv1.errors import Fault, Refused
from healthv1.hosts import inventory as inventories
from healthv1.hosts.pyinfra_patches import apply_patches


@dataclass(frozen=True)
class SecretsInUse:
    """What the hosts of one environment need of the secrets backend."""

    name: str
    secrets: tuple[Secret, ...]
    """Each once, in the order in which the settings name them."""
    environment: Environment


def bind_secrets(environment: str) -> SecretsInUse:
    """Read the inventory. Raises `Refused` when it, or its settings, have faults."""
    with inventory_of(environment) as inventory:
        secrets = [secret for host in inventory for secret in _secrets(host.data.dict())]
        settings = next((host.data.get("environment") for host in inventory if host.data.get("environment")), None)
        lacking = [host.name for host in inventory if host.data.get("secrets") is None]
    if lacking or not isinstance(settings, Environment):
        what = "It names no secrets backend." if lacking else "It has no environment settings."
        raise Refused(Fault(f"group_data for {environment}", what, "add: secrets = EncryptedFile(…)"))
    return SecretsInUse(environment, tuple({str(secret): secret for secret in secrets}.values()), settings)


def _secrets(data: dict[str, object]) -> Iterator[Secret]:
    """Yield those of one host's settings, in the order of their models' names."""
    backend = data.get("secrets")
    for _, value in sorted(data.items()):
        if isinstance(value, Settings):
            for secret in value.secrets():
                yield secret.bind(backend)  # type: ignore[arg-type]


@contextmanager
def inventory_of(environment: str) -> Iterator[Inventory]:
    """Read the inventory and its group_data; connect to nothing. Raises `Refused` with all their faults."""
    apply_patches()
    ctx_state.set(State(check_for_changes=False))  # pyinfra reads inventories in the context of a state
    try:
        yield inventories.load(environment)
    finally:
        ctx_state.reset()
