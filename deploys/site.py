"""Which group runs what, in which stage. Read this first.

Runs under `healthv1 apply ENV` and, slower, under plain `pyinfra inventories/ENV.py deploys/site.py`.
One explicit line per component: pyinfra tells operations apart by the lines that call them.
"""

from __future__ import annotations

from deploys import this_host
from deploys.api.deploy import deploy_api, rewrap_data_keys
from deploys.api.settings import Api
from deploys.backup.deploy import archiving_here, deploy_backup
from deploys.backup.drills import deploy_drills, source_here
from deploys.backup.placement import located
from deploys.backup.repository_host import deploy_repository_host, leave_repository
from deploys.backup.settings import Backup
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
from deploys.pki.deploy import deploy_pki
from deploys.pki.settings import Pki
from deploys.postgresql.deploy import (
    cluster_here,
    cluster_on,
    deploy_postgresql,
    deploy_programs,
    deploy_reading,
    retire_logins,
)
from deploys.postgresql.dump import dump
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

stack = this_host.settings(Stack)
topology = this_host.topology()
environment = this_host.settings(Environment)
reading = this_host.optional_settings(Reading)
drilled = this_host.settings(Backup, this_host.database())
pki = this_host.optional_settings(Pki)
backup = located(
    this_host.settings(Backup),
    this_host.peers,
    pki=pki is not None,
    shared=this_host.shares(Backup, "repository", "database"),
)
repository = backup.reached_host if this_host.plays("repository") else None

# Every host.
deploy_preflight(
    settings=this_host.settings(Preflight),
    stack=stack,
    topology=topology,
    parts=this_host.parts(),
    status_port=this_host.settings(Nginx).status_port,
    backend=this_host.backend() if this_host.is_first("all") else None,
    secrets=this_host.required_secrets(
        stack, environment, this_host.settings(Rollout), backup, reading, pki, drilled.reading_secrets()
    ),
    escrowed=(*environment.secrets(), *(pki.secrets() if pki else ())) if environment.require_escrow else (),
    repository_port=repository.port if repository else 0,
)
deploy_ufw(
    settings=this_host.settings(Ufw),
    stack=stack,
    topology=topology,
    parts=this_host.parts(),
    vault=reading.vault_addresses if reading else (),
    bounds=this_host.settings(Nginx).bounds,
    clients=[(peer.address, repository.port) for peer in this_host.peers("database")] if repository else (),
)
deploy_fail2ban(
    settings=this_host.settings(Fail2ban),
    topology=topology,
    parts=this_host.parts(),
    clinics=this_host.settings(Nginx).clinics,
)
deploy_sshd(settings=this_host.settings(Sshd))
if pki:
    deploy_pki(settings=pki, identity=this_host.identity())
# The host that keeps the database's backups, ahead of the database.
if repository and pki:
    deploy_repository_host(
        settings=repository, identity=this_host.identity(), client=this_host.peers("database")[0], ca_key=pki.ca_key
    )
elif this_host.plays("repository"):
    leave_repository()
barrier("base")

# Database hosts.
if this_host.plays("database"):
    archiving = archiving_here(backup, cluster_here(stack), require_escrow=environment.require_escrow)
    deploy_postgresql(
        settings=this_host.settings(Postgresql),
        stack=stack,
        topology=topology,
        master_key=environment.master_key,
        reading=reading,
        archiving=archiving,
    )
    deploy_backup(
        settings=backup,
        stack=stack,
        cluster=cluster_here(stack),
        archiving=archiving,
        identity=this_host.identity() if pki else None,
        ca_key=pki.ca_key if pki else None,
        drills_here=not this_host.drills_are_elsewhere(),
        dump=dump(cluster_here(stack), stack.database, backup.export.recipients) if backup.export else "",
    )
    deploy_redis(settings=this_host.settings(Redis), stack=stack, topology=topology)

# Hosts for restore drills.
if this_host.plays("drill") and not this_host.plays("database"):
    database = this_host.database() if this_host.takes_part(this_host.database()) else None
    source = source_here(
        drilled,
        stack,
        cluster=cluster_on(database, stack) if database else None,
        database=database,
        require_escrow=environment.require_escrow,
    )
    if source:
        deploy_programs(cluster=source.cluster)
    deploy_drills(settings=drilled, stack=stack, source=source)
barrier("data")

# API hosts.
if this_host.plays("api"):
    deploy_user(settings=this_host.settings(User), stack=stack)
    deploy_environment(settings=environment, stack=stack, topology=topology)
    deploy_pgbouncer(settings=this_host.settings(Pgbouncer), stack=stack, topology=topology)
    deploy_api(
        settings=this_host.settings(Api),
        stack=stack,
        topology=topology,
        first=this_host.is_first("api"),
        cluster=cluster_here(stack) if this_host.plays("database") else None,
    )
barrier("application")

# Every API host runs the new release by now: remove old logins and keys, and grant readers the migrated tables.
if this_host.is_first("api"):
    rewrap_data_keys(settings=this_host.settings(Api), stack=stack, master_key=environment.master_key)
if this_host.plays("database"):
    retire_logins(stack=stack)
    deploy_reading(reading=reading, stack=stack)

# Edge hosts.
if this_host.plays("edge"):
    deploy_nginx(
        settings=this_host.settings(Nginx), stack=stack, topology=topology, origins=environment.cors_allowed_origins
    )
    deploy_certbot(settings=this_host.settings(Certbot), stack=stack)
barrier("edge")
