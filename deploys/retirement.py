"""What is taken down on a host that leaves the environment, or a part of it: `healthv1 retire` carries it out.

Only what is ours goes: services by their marks, secrets from our places. Data stays unless it is to go as well. Nothing
that the host's owner has is stopped, and SSH is let in all along. Every step finds out by itself whether it is due, so
that a second run ends what was killed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from deploys import this_host
from deploys.certbot.commands import ACCOUNT, HOOK, WRAPPER
from deploys.certbot.deploy import DROP_IN, KNOWN
from deploys.cluster import Cluster
from deploys.facts.marks import Marks
from deploys.facts.named import NamedIn
from deploys.facts.probe import Succeeds
from deploys.nginx.beside import MOUNT
from deploys.nginx.configuration import NOBODY
from deploys.operations.barrier import barrier
from deploys.operations.change import Change
from deploys.operations.files import absent
from deploys.operations.release import stop_other_instances
from deploys.operations.retirement import remove_path, stop_unit
from deploys.operations.shell import ensure
from deploys.paths import MARKS, REDIS_ACCEPTED, REDIS_LOGIN, SITE_LEAVING
from deploys.postgresql.deploy import cluster_here
from deploys.stack import LOOPBACK, Stack, Topology
from deploys.ufw.deploy import deploy_ufw
from deploys.ufw.settings import Ufw

SITES = "find /etc/nginx/sites-enabled /etc/nginx/conf.d -mindepth 1 2>/dev/null"
OUR_SITES = f"{SITES} -name '*health-v1*'"
# A default site of the package serves nobody.
OTHERS = f"""{SITES} ! -name '*health-v1*' ! -path /etc/nginx/sites-enabled/default | grep -q ."""
RENEWALS = "/etc/letsencrypt/renewal"


@dataclass(frozen=True)
class Leaving:
    parts: Collection[str]
    whole: bool
    """The host leaves the environment: what every host has goes as well."""
    data: bool = False
    """What patients' data is in goes as well."""


def retire(leaving: Leaving) -> None:
    stack, marks = this_host.settings(Stack), host.get_fact(Marks)
    if "edge" in leaving.parts:
        leave_edge(stack=stack, marks=marks)
    if "api" in leaving.parts:
        leave_api(stack=stack, marks=marks, data=leaving.data)
    if "database" in leaving.parts:
        leave_redis(marks=marks, data=leaving.data)
        if "cluster" in marks:
            cluster = replace(cluster_here(stack), name=marks["cluster"])
            leave_database(cluster=cluster, data=leaving.data)
    if leaving.whole:
        if "firewall" in marks:  # nobody but SSH is let in, and nothing else of it changes
            alone = this_host.settings(Ufw).model_copy(update={"extra": ()})
            deploy_ufw(settings=alone, stack=stack, topology=Topology(LOOPBACK, LOOPBACK, (), (), ()), parts=())
        leave_alone()
    barrier("retirement")


@deploy("Edge")
def leave_edge(stack: Stack, marks: Mapping[str, str]) -> None:
    """The site first, then what it was served with."""
    shared = host.get_fact(Succeeds, test=OTHERS)
    ensure(
        name="Disable the site",
        change=Change("site", stack.domain, "disable", was="served", effect="the host does not answer for it any more"),
        test=f'test -z "$({OUR_SITES})" && ! test -e {SITE_LEAVING}',
        command=f"mkdir -p {SITE_LEAVING.rpartition('/')[0]}; touch {SITE_LEAVING}\n{OUR_SITES} -delete\n"
        f"! systemctl is-active --quiet nginx.service || {{ nginx -t -q >&2 && systemctl reload nginx.service; }}\n"
        f"rm -f {SITE_LEAVING}",
    )
    if "nginx" in marks and not shared:
        stop_unit(name="Stop nginx", unit=f"{marks['nginx']}.service", effect="the host serves no website any more")
    for path in host.loop((stack.certificate, NOBODY)):
        remove_path(name=f"Remove {path}", path=path, why="a private key is in it")
    if "lineage" in marks:
        _certificate(marks["lineage"])
    stop_unit(name="Let go of where bodies wait", unit=MOUNT, effect="nobody is interrupted")


def _certificate(lineage: str) -> None:
    """Nobody renews it, nobody serves it, and its keys are gone. Other certificates are renewed as before."""
    ours = f"{lineage}.conf"
    others = f"ls -A {RENEWALS} 2>/dev/null | grep -qxvF '{ours}'"
    alone = not host.get_fact(Succeeds, test=others)
    if alone:
        stop_unit(name="Stop renewals", unit="certbot.timer", effect="nobody is interrupted")
    absent(name="Remove what trusted another authority by hand", path=WRAPPER)
    absent(name="Remove what trusted it in renewals", path=DROP_IN)
    absent(name="Remove what renewals began with", path=KNOWN)
    absent(name="Remove how an account was made anew", path=ACCOUNT)
    places = [f"{RENEWALS}/{ours}", f"/etc/letsencrypt/live/{lineage}", f"/etc/letsencrypt/archive/{lineage}"]
    # The account's key lets its holder revoke the certificate, and get another for as long as the authority remembers.
    for path in host.loop([*places, *(["/etc/letsencrypt/accounts"] if alone else [])]):
        remove_path(name=f"Remove {path}", path=path, kind="certificate", why="a private key is, or was, kept with it")
    # On hosts of earlier versions it alone tells which lineage is ours: it goes last.
    absent(name="Remove the hook of renewals", path=HOOK)


@deploy("API")
def leave_api(stack: Stack, marks: Mapping[str, str], data: bool) -> None:
    stop_other_instances(name="Stop the API", ports=())
    pooler = marks.get("pgbouncer")
    logins: list[str] = []
    if pooler:
        logins = host.get_fact(NamedIn, unit=f"{pooler}.service", word="auth_file")
        stop_unit(name="Stop the pooler", unit=f"{pooler}.service", effect="the API on this host is gone already")
    for path in host.loop([f"{stack.home}/.env", f"{stack.home}/.env.owner", *logins]):
        remove_path(name=f"Remove {path}", path=path)
    if data:
        for sub in host.loop(("data", "logs", "backups")):
            remove_path(name=f"Remove {sub}", path=f"{stack.home}/{sub}", kind="data", why="data is to go")


@deploy("Redis")
def leave_redis(marks: Mapping[str, str], data: bool) -> None:
    if "redis" not in marks:
        return
    unit = f"{marks['redis']}.service"
    users = host.get_fact(NamedIn, unit=unit, word="aclfile")
    kept = host.get_fact(NamedIn, unit=unit, word="dir")
    stop_unit(name="Stop Redis", unit=unit, effect="sessions that are kept here are of no use any more")
    for path in host.loop([*users, REDIS_LOGIN, REDIS_ACCEPTED]):
        remove_path(name=f"Remove {path}", path=path)
    files = [f"{place}/{name}" for place in kept for name in ("appendonlydir", "appendonly.aof", "dump.rdb")]
    for path in host.loop(files if data else []):
        remove_path(name=f"Remove {path}", path=path, kind="data", why="data is to go")


@deploy("PostgreSQL")
def leave_database(cluster: Cluster, data: bool) -> None:
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
        change=Change("data", f"cluster {cluster.version}/{cluster.name}", "remove", "data is to go"),
        test=f"! test -e {cluster.data} && ! test -e {cluster.configuration} && ! test -e {cluster.served}",
        command=f"pg_dropcluster --stop {cluster.version} {cluster.name} >&2 || true\n"
        f"rm -rf -- {cluster.data} {cluster.configuration}\n"
        f"rm -f -- {cluster.served}; rm -f -- {MARKS}/cluster",
    )


@deploy("Host")
def leave_alone() -> None:
    """What is installed later starts as its package says."""
    absent(name="Let services start when they are installed", path="/usr/sbin/policy-rc.d")
