"""The PostgreSQL clusters on a host, and the paths for ours."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from pyinfra.api.facts import FactBase

from deploys.cluster import Cluster
from deploys.paths import STAMPS

# A configured cluster counts even if it is down; the last value of a parameter counts, as for PostgreSQL. A postmaster
# without Debian's configuration (a container's, a manual build) is identified by its working directory, its data.
_STATE = r"""settings() { [ "$2" -lt 10 ] && [ -f "$1" ] || return 0
sed -nE "s/^\s*(port|data_directory|include|include_dir|include_if_exists)\s*(=|\s)\s*'?([^'#]*).*/\L\1\E \3/Ip" "$1" |
while read -r key value; do
  case $value in /*) path=$value;; *) path=${1%/*}/$value;; esac
  case $key in
    include_dir) for each in "$path"/*.conf; do settings "$each" $(($2 + 1)); done;;
    include*) settings "$path" $(($2 + 1));;
    *) printf '%s %s\n' "$key" "$value";; esac; done; }
last() { sed -n "s/^$1 //p" | tail -n 1; }
real() { [ -z "$1" ] || readlink -m -- "$1"; }
holds() { [ -L "$1" ] || { [ -e "$1" ] && [ -n "$(ls -A -- "$1")" ]; }; }
tab=$(printf '\t')
known=$(for file in $etc/*/*/postgresql.conf; do [ -f "$file" ] || continue
  at=${file%/*} name=${file#$etc/}; name=${name%/postgresql.conf}
  said=$(settings "$file" 0); data=$(echo "$said" | last data_directory)
  [ -n "$data" ] || data=$(readlink "$at/pgdata")
  port=$({ echo "$said"; settings "$data/postgresql.auto.conf" 0; } | last port)
  [ -e "$applied/postgresql@${name%%/*}-${name#*/}.service.restart" ] && ours=ours || ours=
  [ "$name" = "$own" ] && kind=own || kind=cluster
  printf '%s\t%s\t%s\t%s\t%s\n' $kind "$name" "${port:-5432}" "$(real "$data")" "$ours"
done)
echo "$known"
cat /proc/[0-9]*/status | awk '$1 == "Name:" { name = $2 } $1 == "Pid:" { pid = $2; is[pid] = name }
  $1 == "PPid:" { parent[pid] = $2 }
  END { for (pid in is) if (is[pid] ~ /^(postgres|postmaster)$/ && is[parent[pid]] != is[pid]) print pid }' |
while read -r pid; do data=$(readlink "/proc/$pid/cwd") || continue
  case $known in *"$tab$data$tab"*) ;; *) printf 'postmaster\t%s\n' "$data";; esac; done | sort -u
printf 'place\t%s\n' "$(real "$place")"
pid=$(head -n 1 "$pids/${own%/*}-${own#*/}.pid") && [ "$(cat "/proc/$pid/comm")" = postgres ] &&
  printf 'runs\t%s\n' "$(readlink "/proc/$pid/cwd")"
holds "$place" && printf 'holds\t%s\n' "$place"
holds "$conf" && printf 'holds\t%s\n' "$conf"
[ -s "$place/global/pg_control" ] && echo whole
[ -e "$served" ] && echo served"""


@dataclass(frozen=True)
class ClusterOnHost:
    name: str
    """"17/main"; empty for a server unknown to Debian's tools."""
    port: int = 0
    data: str = ""
    """Its data directory, symlinks resolved; empty if not configured."""
    is_ours: bool = False


@dataclass(frozen=True)
class Clusters:
    others: tuple[ClusterOnHost, ...] = ()
    """All clusters but the one with our name."""
    own: ClusterOnHost | None = None
    """The cluster with our name, whoever created it."""
    running_data: str = ""
    """Its data directory while it runs: the configuration may have changed since its start."""
    data_path: str = ""
    """The data directory for ours, symlinks resolved."""
    occupied_paths: tuple[str, ...] = ()
    """Its data and configuration directories, if not empty."""
    has_data: bool = False
    """The data directory holds a cluster."""
    has_served: bool = False
    """Our cluster has run before."""


class ClustersHere(FactBase[Clusters]):
    default = Clusters

    def command(self, cluster: Cluster, root: str = "") -> str:
        variables = {
            "etc": f"{root}/etc/postgresql",
            "pids": f"{root}/run/postgresql",
            "applied": root + STAMPS,
            "own": str(cluster),
            "place": root + cluster.data,
            "conf": root + cluster.configuration,
            "served": root + cluster.served_marker,
        }
        return f"({_assignments(variables)}\n{_STATE}) 2>/dev/null || true"

    def process(self, output: list[str]) -> Clusters:
        rows: dict[str, list[list[str]]] = {}
        for kind, *fields in (line.split("\t") for line in output):
            rows.setdefault(kind, []).append(fields)
        own = [_parse_cluster(*fields) for fields in rows.get("own", ())]
        unknown = [ClusterOnHost("", data=data) for (data,) in rows.get("postmaster", ())]
        place, runs_in = (next((path for (path,) in rows.get(kind, ())), "") for kind in ("place", "runs"))
        others = [*(_parse_cluster(*fields) for fields in rows.get("cluster", ())), *unknown]
        return Clusters(
            others=tuple(cluster for cluster in others if cluster.data != place or cluster.name),
            own=own[0] if own else None,
            running_data=runs_in,
            data_path=place,
            occupied_paths=tuple(path for (path,) in rows.get("holds", ())),
            has_data="whole" in rows,
            has_served="served" in rows,
        )


def _parse_cluster(name: str, port: str, data: str, ours: str) -> ClusterOnHost:
    return ClusterOnHost(name, int(port), data, bool(ours))


def _assignments(values: dict[str, str]) -> str:
    return " ".join(f"{name}={shlex.quote(value)}" for name, value in values.items())
