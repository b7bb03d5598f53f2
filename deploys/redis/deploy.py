"""Redis runs from one file that is ours whole, lets in who has a password, and cannot rewrite what it was told."""

from __future__ import annotations

from functools import partial

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from deploys.beside import redis_conflicts
from deploys.component import template
from deploys.facts.machine import MachineState
from deploys.facts.marks import Marks
from deploys.operations.beside import mark_service
from deploys.operations.change import Change
from deploys.operations.claims import claim
from deploys.operations.files import directory, file
from deploys.operations.packages import packages
from deploys.operations.persistence import switch_persistence
from deploys.operations.shell import ensure
from deploys.operations.units import unit
from deploys.packaged import REDIS
from deploys.paths import REDIS_ACCEPTED, REDIS_LOGIN
from deploys.redis.checks import can_reload_users, checks, is_working
from deploys.redis.settings import Redis
from deploys.redis.users import acl_file, probe_login
from deploys.redis_server import USERS, RedisServer
from deploys.stack import LOOPBACK, Stack, Topology


@deploy("Redis")
def deploy_redis(settings: Redis, stack: Stack, topology: Topology) -> None:
    server = RedisServer.from_marks(host.get_fact(Marks))
    maxmemory = settings.maxmemory(host.get_fact(MachineState).memory)
    addresses = (LOOPBACK, topology.own) if topology.remote(topology.api) else (LOOPBACK,)
    if not server.is_packaged:
        mark_service(
            name="Take a place for Redis that is nobody's",
            mark="redis",
            unit=server.name,
            survey=redis_conflicts(server, stack.redis_port),
            setting="stack.redis_port",
            claim=REDIS.mark_as_ours("redis", server.name),
        )
    packages(name="Install Redis", names=(REDIS.name,))
    if not server.is_packaged:
        ensure(
            name="Leave the distribution's Redis off",
            change=Change("unit", REDIS.unit, "disable", f"ours is {server.unit}", was="enabled", becomes="disabled"),
            test=REDIS.is_off,
            command=REDIS.turn_off,
            after=(REDIS.name,),
        )
        directory(
            name="Make a place for what Redis holds", path=server.directory, mode="0750", user="redis", group="redis"
        )

    values = {"server": server, "users": USERS, "addresses": addresses, "maxmemory": maxmemory}
    conf = partial(template, "redis/redis.conf", stack=stack, **values)
    file(
        name="Write redis.conf",
        path=server.configuration,
        content=conf(settings=settings),
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
        path=REDIS_LOGIN,
        content=lambda: probe_login(stack.redis_password),
        mode="0600",
        secret=True,
    )
    switch_persistence(
        name="Keep on disk what Redis holds" if settings.persist else "Keep nothing of Redis on disk",
        server=server,
        persist=settings.persist,
        other_configuration=conf(settings=settings.model_copy(update={"persist": not settings.persist})),
    )
    _run(settings, stack, server)
    claim("redis", checks(server, stack, addresses, maxmemory, persist=settings.persist))


def _run(settings: Redis, stack: Stack, server: RedisServer) -> None:
    empty_note = "it begins empty: who was logged in has to log in again"
    memory_note = "what it held comes back" if settings.persist else empty_note
    directory(name="Make a place for the unit's hardening", path=server.drop_in)
    file(
        name="Harden the unit",
        path=f"{server.drop_in}/health-v1.conf",
        content=template(
            "redis/health-v1.conf", stack=stack, server=server, login=REDIS_LOGIN, accepted=REDIS_ACCEPTED
        ),
    )
    unit(
        name="Run Redis",
        unit=server.unit,
        effect=f"a request that asks it just then may be answered 503; {memory_note}",
        restart_on=(server.configuration, f"{server.drop_in}/health-v1.conf", *server.program),
        reload_on=(USERS,),
        reloadable=can_reload_users(stack),
        probe=is_working(stack),
    )
