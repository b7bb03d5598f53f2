"""Two files that systemd reads as root: what the API is told, and what only migrations are told besides."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from deploys.environment.checks import checks
from deploys.environment.passwords import refuse_weak
from deploys.environment.settings import Environment
from deploys.environment.variables import env_file, owner_variables, refuse_placeholders, variables
from deploys.operations.claims import claim
from deploys.operations.files import file
from deploys.operations.master_key import refuse_lost_master_key
from deploys.stack import Stack, Topology


@deploy("Environment")
def deploy_environment(settings: Environment, stack: Stack, topology: Topology) -> None:
    env = f"{stack.home}/.env"
    refuse_lost_master_key(name="Try that the master key is in the backend", path=env, master_key=settings.master_key)
    file(
        name="Write .env",
        path=env,
        content=lambda: env_file(refuse_placeholders(variables(settings, stack, topology))),
        mode="0600",
        secret=True,
        ours=True,
    )
    file(
        name="Write .env.owner",
        path=f"{stack.home}/.env.owner",
        content=lambda: _owner_file(stack, topology),
        mode="0600",
        secret=True,
        ours=True,
    )
    claim("environment", checks(stack))


def _owner_file(stack: Stack, topology: Topology) -> str:
    refuse_weak(stack)
    return env_file(refuse_placeholders(owner_variables(stack, topology)))
