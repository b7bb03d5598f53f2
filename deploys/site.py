"""Which group runs what, in which stage. Read this first.

Runs under `healthv1 apply ENV` and, slower, under plain `pyinfra inventories/ENV.py deploys/site.py`.
One explicit line per component: pyinfra tells operations apart by the lines that call them.
"""

from __future__ import annotations

from deploys import here
from deploys.api.deploy import deploy_api, rewrap_data_keys
from deploys.api.settings import Api
from deploys.certbot.deploy import deploy_certbot
from deploys.certbot.settings import Certbot
from deploys.environment.deploy import deploy_environment
from deploys.environment.settings import Environment
from deploys.fail2ban.deploy import deploy_fail2ban
from deploys.fail2ban.settings import Fail2ban
from deploys.nginx.deploy import deploy_nginx
from deploys.nginx.settings import Nginx
from deploys.operations.barrier import barrier
from deploys.pgbouncer.deploy import deploy_pgbouncer
from deploys.pgbouncer.settings import Pgbouncer
from deploys.postgresql.deploy import cluster_here, deploy_postgresql, deploy_reading, retire_logins
from deploys.postgresql.settings import Postgresql, Reading
from deploys.preflight.deploy import deploy_preflight
from deploys.preflight.settings import Preflight
from deploys.redis.deploy import deploy_redis
from deploys.redis.settings import Redis
from deploys.rollout import Rollout
from deploys.sshd.deploy import deploy_sshd
from deploys.sshd.settings import Sshd
from deploys.stack import Stack
from deploys.ufw.deploy import deploy_ufw
from deploys.ufw.settings import Ufw
from deploys.user.deploy import deploy_user
from deploys.user.settings import User

stack = here.settings(Stack)
topology = here.topology()
environment = here.settings(Environment)
reading = here.chosen(Reading)

# Every host.
deploy_preflight(
    settings=here.settings(Preflight),
    stack=stack,
    topology=topology,
    parts=here.parts(),
    status_port=here.settings(Nginx).status_port,
    backend=here.backend() if here.is_first("all") else None,
    secrets=here.needed(stack, environment, here.settings(Rollout), reading),
    require_escrow=environment.require_escrow,
)
deploy_ufw(
    settings=here.settings(Ufw),
    stack=stack,
    topology=topology,
    parts=here.parts(),
    vault=reading.vault_addresses if reading else (),
    bounds=here.settings(Nginx).bounds,
)
deploy_fail2ban(
    settings=here.settings(Fail2ban),
    topology=topology,
    parts=here.parts(),
    clinics=here.settings(Nginx).clinics,
)
deploy_sshd(settings=here.settings(Sshd))
barrier("base")

# Where the data lives.
if here.plays("database"):
    deploy_postgresql(
        settings=here.settings(Postgresql),
        stack=stack,
        topology=topology,
        master_key=environment.master_key,
        reading=reading,
    )
    deploy_redis(settings=here.settings(Redis), stack=stack, topology=topology)
barrier("data")

# What works on it.
if here.plays("api"):
    deploy_user(settings=here.settings(User), stack=stack)
    deploy_environment(settings=environment, stack=stack, topology=topology)
    deploy_pgbouncer(settings=here.settings(Pgbouncer), stack=stack, topology=topology)
    deploy_api(
        settings=here.settings(Api),
        stack=stack,
        topology=topology,
        first=here.is_first("api"),
        cluster=cluster_here(stack) if here.plays("database") else None,
    )
barrier("application")

# What nobody uses any more, and what reads what there is: every API host has moved on by now.
if here.is_first("api"):
    rewrap_data_keys(settings=here.settings(Api), stack=stack, master_key=environment.master_key)
if here.plays("database"):
    retire_logins(stack=stack)
    deploy_reading(reading=reading, stack=stack)

# What the world sees.
if here.plays("edge"):
    deploy_nginx(
        settings=here.settings(Nginx), stack=stack, topology=topology, origins=environment.cors_allowed_origins
    )
    deploy_certbot(settings=here.settings(Certbot), stack=stack)
barrier("edge")
