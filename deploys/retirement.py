"""Remove our parts from a host that leaves the environment, or a part of it. `healthv1 retire` runs this.

It removes only our own: services by their marks, secrets from our paths. Data stays unless its removal is requested.
The owner's services go on, and SSH stays open. Every step tests whether it is due: a second run completes a killed one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from deploys import this_host
from deploys.archiving import CREDENTIALS_FOLDER, READING_FOLDER
from deploys.backup.checks import DRILL_TIMER, EXPORT_TIMER, TIMERS, WATCH_TIMER
from deploys.backup.drills import MARK as DRILLS
from deploys.backup.installing import DRILL_KEY
from deploys.backup.repository_host import ACCOUNT as REPOSITORY_ACCOUNT
from deploys.backup.repository_host import MARK as REPOSITORY
from deploys.backup.repository_host import UNIT as REPOSITORY_UNIT
from deploys.certbot.commands import ACCOUNT, HOOK, WRAPPER
from deploys.certbot.deploy import ACCOUNT_DROP_IN, AUTHORITY_DROP_IN
from deploys.cluster import Cluster
from deploys.facts.marks import Marks
from deploys.facts.named import ConfiguredPaths
from deploys.facts.probe import Succeeds
from deploys.nginx.beside import MOUNT
from deploys.nginx.checks import WATCH
from deploys.nginx.configuration import UNKNOWN_NAME_CERTIFICATE
from deploys.operations.barrier import barrier
from deploys.operations.change import Change
from deploys.operations.files import absent
from deploys.operations.release import stop_other_instances
from deploys.operations.retirement import remove_path, stop_unit
from deploys.operations.shell import ensure
from deploys.paths import DATABASE_RESERVE, MARKS, REDIS_ACCEPTED, REDIS_LOGIN, SITE_LEAVING
from deploys.postgresql.deploy import cluster_here
from deploys.stack import LOOPBACK, Stack, Topology
from deploys.tls import DIRECTORY, KeyFiles
from deploys.ufw.deploy import deploy_ufw
from deploys.ufw.settings import Ufw

SITES = "find /etc/nginx/sites-enabled /etc/nginx/conf.d -mindepth 1 2>/dev/null"
OUR_SITES = f"{SITES} -name '*health-v1*'"
# The packaged default site does not count.
HAS_OTHER_SITES = f"""{SITES} ! -name '*health-v1*' ! -path /etc/nginx/sites-enabled/default | grep -q ."""
RENEWALS = "/etc/letsencrypt/renewal"


@dataclass(frozen=True)
class Retirement:
    parts: Collection[str]
    entire_host: bool
    """The host leaves the environment: remove also what every host has."""
    data: bool = False
    """Remove patients' data as well."""


def retire(retirement: Retirement) -> None:
    stack, marks = this_host.settings(Stack), host.get_fact(Marks)
    if "edge" in retirement.parts:
        remove_edge(stack=stack, marks=marks)
    if "api" in retirement.parts:
        remove_api(stack=stack, marks=marks, data=retirement.data)
    if "drill" in retirement.parts and DRILLS in marks and "cluster" not in marks:
        remove_drills()
    elif "database" in retirement.parts:
        remove_backup()
    if "database" in retirement.parts:
        remove_redis(marks=marks, data=retirement.data)
        if "cluster" in marks:
            cluster = replace(cluster_here(stack), name=marks["cluster"])
            remove_database(cluster=cluster, data=retirement.data)
    if "repository" in retirement.parts:
        remove_repository(marks=marks, data=retirement.data)
    if retirement.entire_host:
        if "firewall" in marks:  # only SSH stays open
            ssh_only = this_host.settings(Ufw).model_copy(update={"extra": ()})
            deploy_ufw(settings=ssh_only, stack=stack, topology=Topology(LOOPBACK, LOOPBACK, (), (), ()), parts=())
        remove_host_settings()
    barrier("retirement")


@deploy("Edge")
def remove_edge(stack: Stack, marks: Mapping[str, str]) -> None:
    """Remove the site first, then its certificate and keys."""
    serves_others = host.get_fact(Succeeds, test=HAS_OTHER_SITES)
    ensure(
        name="Disable the site",
        change=Change("site", stack.domain, "disable", was="served", effect="the host does not answer for it any more"),
        test=f'test -z "$({OUR_SITES})" && ! test -e {SITE_LEAVING}',
        command=f"mkdir -p {SITE_LEAVING.rpartition('/')[0]}; touch {SITE_LEAVING}\n{OUR_SITES} -delete\n"
        f"! systemctl is-active --quiet nginx.service || {{ nginx -t -q >&2 && systemctl reload nginx.service; }}\n"
        f"rm -f {SITE_LEAVING}",
    )
    if "nginx" in marks and not serves_others:
        stop_unit(name="Stop nginx", unit=f"{marks['nginx']}.service", effect="the host serves no website any more")
    for path in host.loop((stack.certificate, UNKNOWN_NAME_CERTIFICATE)):
        remove_path(name=f"Remove {path}", path=path, why="a private key is in it")
    if "lineage" in marks:
        _remove_certificate(marks["lineage"])
    stop_unit(name="Let go of where bodies wait", unit=MOUNT, effect="nobody is interrupted")
    stop_unit(name="End no maintenance any more", unit=WATCH, effect="nobody is interrupted")


def _remove_certificate(lineage: str) -> None:
    """Remove our certificate, its keys and its renewal. Other certificates are renewed as before."""
    our_file = f"{lineage}.conf"
    has_others = f"ls -A {RENEWALS} 2>/dev/null | grep -qxvF '{our_file}'"
    is_last = not host.get_fact(Succeeds, test=has_others)
    if is_last:
        stop_unit(name="Stop renewals", unit="certbot.timer", effect="nobody is interrupted")
    absent(name="Remove what trusted another authority by hand", path=WRAPPER)
    absent(name="Remove what trusted it in renewals", path=AUTHORITY_DROP_IN)
    absent(name="Remove what renewals began with", path=ACCOUNT_DROP_IN)
    absent(name="Remove how an account was made anew", path=ACCOUNT)
    paths = [f"{RENEWALS}/{our_file}", f"/etc/letsencrypt/live/{lineage}", f"/etc/letsencrypt/archive/{lineage}"]
    # With the account's key anybody could revoke the certificate, or get another while the authorization lasts.
    for path in host.loop([*paths, *(["/etc/letsencrypt/accounts"] if is_last else [])]):
        remove_path(name=f"Remove {path}", path=path, kind="certificate", why="a private key is, or was, kept with it")
    # On hosts of earlier versions only the hook names our lineage: it goes last.
    absent(name="Remove the hook of renewals", path=HOOK)


@deploy("API")
def remove_api(stack: Stack, marks: Mapping[str, str], data: bool) -> None:
    stop_other_instances(name="Stop the API", ports=())
    pooler = marks.get("pgbouncer")
    login_files: list[str] = []
    if pooler:
        login_files = host.get_fact(ConfiguredPaths, unit=f"{pooler}.service", option="auth_file")
        stop_unit(name="Stop the pooler", unit=f"{pooler}.service", effect="the API on this host is gone already")
    for path in host.loop([f"{stack.home}/.env", f"{stack.home}/.env.owner", *login_files]):
        remove_path(name=f"Remove {path}", path=path)
    if data:
        for folder in host.loop(("data", "logs", "backups")):
            remove_path(name=f"Remove {folder}", path=f"{stack.home}/{folder}", kind="data", why="data is to go")


@deploy("Backup")
def remove_backup() -> None:
    """Nothing more is backed up, and the keys go. What is in the repository stays."""
    for name in host.loop((*TIMERS, EXPORT_TIMER, DRILL_TIMER, "health-v1-restore.service")):
        stop_unit(name=f"Stop {name}", unit=name, effect="nobody is interrupted")
    for path in host.loop((CREDENTIALS_FOLDER, READING_FOLDER, DRILL_KEY)):
        remove_path(name=f"Remove {path}", path=path, kind="key")
    remove_path(name="Give back what was kept free", path=DATABASE_RESERVE, why="nothing needs it")


@deploy("Drills")
def remove_drills() -> None:
    """No copy is restored here any more. The evidence of drills stays."""
    for name in host.loop((WATCH_TIMER, DRILL_TIMER, "health-v1-drill.service")):
        stop_unit(name=f"Stop {name}", unit=name, effect="nobody is interrupted")
    for path in host.loop((CREDENTIALS_FOLDER, DRILL_KEY)):
        remove_path(name=f"Remove {path}", path=path, kind="key")
    absent(name="Have it be no host for drills", path=f"{MARKS}/{DRILLS}")


@deploy("Repository")
def remove_repository(marks: Mapping[str, str], data: bool) -> None:
    """Another host's backups do not come here any more."""
    stop_unit(name="Stop the repository", unit=REPOSITORY_UNIT, effect="no backup arrives here any more")
    key = KeyFiles(REPOSITORY_ACCOUNT).key
    remove_path(name=f"Remove {key}", path=key, kind="key", why="it proves that the host keeps backups")
    if data and REPOSITORY in marks:
        remove_path(name="Remove the backups", path=marks[REPOSITORY], kind="data", why="data is to go")


@deploy("Redis")
def remove_redis(marks: Mapping[str, str], data: bool) -> None:
    if "redis" not in marks:
        return
    unit = f"{marks['redis']}.service"
    acl_files = host.get_fact(ConfiguredPaths, unit=unit, option="aclfile")
    data_directories = host.get_fact(ConfiguredPaths, unit=unit, option="dir")
    stop_unit(name="Stop Redis", unit=unit, effect="sessions that are kept here are of no use any more")
    for path in host.loop([*acl_files, REDIS_LOGIN, REDIS_ACCEPTED]):
        remove_path(name=f"Remove {path}", path=path)
    files = [
        f"{place}/{name}" for place in data_directories for name in ("appendonlydir", "appendonly.aof", "dump.rdb")
    ]
    for path in host.loop(files if data else []):
        remove_path(name=f"Remove {path}", path=path, kind="data", why="data is to go")


@deploy("PostgreSQL")
def remove_database(cluster: Cluster, data: bool) -> None:
    start = f"{cluster.configuration}/start.conf"
    ensure(
        name="Keep it from starting with the host",
        change=Change("file", start, "update", was="auto", becomes="manual"),
        test=f"! test -d {cluster.configuration} || grep -qx manual {start}",
        command=f"umask 022; echo manual > {start}.new; mv -f {start}.new {start}",
    )
    stop_unit(name="Stop the cluster", unit=cluster.unit, effect=f"sessions end{'' if data else '; its data stays'}")
    if not data:
        return
    ensure(
        name="Drop the cluster",
        change=Change(
            "data",
            f"cluster {cluster.version}/{cluster.name}",
            "remove",
            "data is to go, and with it what a restore kept aside",
        ),
        test=" && ".join(
            f"! test -e {path}"
            for path in (cluster.data, cluster.restored, cluster.configuration, cluster.served_marker)
        ),
        command=f"pg_dropcluster --stop {cluster.version} {cluster.name} >&2 || true\n"
        f"rm -rf -- {cluster.data} {cluster.restored} {cluster.configuration}\n"
        f"rm -f -- {cluster.served_marker}; rm -f -- {MARKS}/cluster",
    )


@deploy("Host")
def remove_host_settings() -> None:
    """Packages installed later start their services again."""
    absent(name="Let services start when they are installed", path="/usr/sbin/policy-rc.d")
    remove_path(name="Remove its keys for TLS", path=DIRECTORY, kind="key", why="it proves to others who the host is")
