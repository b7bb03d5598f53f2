"""Redis runs from one file that is ours whole, lets in who has a password, and cannot rewrite what it was told."""

from __future__ import annotations

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from deploys.component import template
from deploys.facts.machine import MachineState
from deploys.operations.claims import claim
from deploys.operations.files import directory, file
from deploys.operations.packages import packages
from deploys.operations.units import unit
from deploys.redis.checks import ACCEPTED, LOGIN, UNIT, checks, reloadable, works
from deploys.redis.settings import Redis
from deploys.redis.users import acl_file, probe_login
from deploys.stack import LOOPBACK, Stack, Topology

CONFIGURATION = "/etc/redis/redis.conf"
USERS = "/etc/redis/health-v1.acl"
DROP_IN = f"/etc/systemd/system/{UNIT}.d"


@deploy("Redis")
def deploy_redis(settings: Redis, stack: Stack, topology: Topology) -> None:
    maxmemory = settings.maxmemory(host.get_fact(MachineState).memory)
    addresses = (LOOPBACK, topology.own) if topology.remote(topology.api) else (LOOPBACK,)
    held = "what it held comes back" if settings.persist else "it begins empty"
    packages(name="Install Redis", names=("redis-server",))
    file(
        name="Write redis.conf",
        path=CONFIGURATION,
        content=template(
            "redis/redis.conf", settings=settings, stack=stack, users=USERS, addresses=addresses, maxmemory=maxmemory
        ),
        mode="0640",
        group="redis",
    )
    file(
        name="Write who may do what",
        path=USERS,
        content=lambda: acl_file(settings, stack.redis_password),
        mode="0640",
        group="redis",
        secret=True,
    )
    file(
        name="Write how checks log in",
        path=LOGIN,
        content=lambda: probe_login(stack.redis_password),
        mode="0600",
        secret=True,
    )
    directory(name="Make a place for the unit's hardening", path=DROP_IN)
    file(
        name="Harden the unit",
        path=f"{DROP_IN}/health-v1.conf",
        content=template("redis/health-v1.conf", stack=stack, login=LOGIN, accepted=ACCEPTED),
    )
    unit(
        name="Run Redis",
        unit=UNIT,
        effect=f"a request that asks it just then may be answered 503; {held}",
        restart_on=(CONFIGURATION, f"{DROP_IN}/health-v1.conf"),
        reload_on=(USERS,),
        reloadable=reloadable(stack),
        probe=works(stack),
    )
    claim("redis", checks(stack, addresses, maxmemory))
