"""Other PostgreSQL clusters stay as they are: what cannot stand beside them is refused ahead of the first change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.cluster import Cluster
from deploys.facts.clusters import ClusterOnHost, Clusters, ClustersHere
from deploys.facts.marks import Marks
from deploys.foreign import Foreign
from deploys.operations.change import Commands
from deploys.operations.foreign import refuse_foreign


@operation()
def refuse_foreign_clusters(cluster: Cluster, memory: float | None) -> Commands:
    """Refuse to make ours where it could not stand beside what is there, or to serve other data than it served.

    + memory: what group_data lets it take.
    """
    ours = host.get_fact(Marks).get("cluster") == cluster.name
    clusters = host.get_fact(ClustersHere, cluster=cluster)
    refuse_foreign(cluster_conflicts(cluster, clusters, ours=ours, memory=memory))
    host.noop(f"{cluster} can stand beside what is there")
    yield from ()


def cluster_conflicts(cluster: Cluster, clusters: Clusters, *, ours: bool, memory: float | None) -> Iterator[Foreign]:
    """Yield what keeps ours from being made, or from serving what it holds."""
    yield from _own_cluster_conflicts(cluster, clusters) if ours else _name_conflicts(cluster, clusters)
    yield from _port_conflicts(cluster, clusters.others)
    if not clusters.has_served and not memory:  # what a cluster that has served takes, it took before others came
        yield from _memory_conflicts(clusters.others)


def _own_cluster_conflicts(cluster: Cluster, clusters: Clusters) -> Iterator[Foreign]:
    former_clusters = [
        other for other in clusters.others if other.is_ours and other.name.partition("/")[2] == cluster.name
    ]
    moved_data = [
        data
        for data in (clusters.running_data, clusters.own and clusters.own.data)
        if data and data != clusters.data_path
    ]
    if moved_data:
        yield Foreign(
            f"cluster {cluster}",
            f"Its data lie in {moved_data[0]}, and not in {cluster.data}.",
            "An apply would have it serve what lies in the latter, if anything.",
            f"put a link to {moved_data[0]} in the place of {cluster.data}, or move the data back",
        )
    elif clusters.has_served and not clusters.has_data:
        yield Foreign(
            f"cluster {cluster}",
            f"It served before, and {cluster.data} does not hold its data.",
            "An apply would begin anew with an empty one.",
            f"mount or restore them; to begin anew, remove {cluster.served_marker}",
        )
    elif former_clusters and not clusters.has_data:
        yield Foreign(
            f"cluster {former_clusters[-1].name}",
            "It is ours, of the PostgreSQL that this host's former release brought.",
            "An apply would begin anew with an empty one.",
            f"bring its data over: pg_upgradecluster {former_clusters[-1].name.replace('/', ' ')}",
        )


def _name_conflicts(cluster: Cluster, clusters: Clusters) -> Iterator[Foreign]:
    if clusters.occupied_paths:
        yield Foreign(
            f"cluster {cluster}",
            f"What is not ours has the name of ours: {' and '.join(clusters.occupied_paths)}.",
            "An apply would have to replace it.",
            f"give it another name: pg_renamecluster {cluster.version} {cluster.name} NAME"
            if clusters.own
            else "move it elsewhere",
        )


def _port_conflicts(cluster: Cluster, clusters: tuple[ClusterOnHost, ...]) -> Iterator[Foreign]:
    used_ports = {other.port for other in clusters}
    names = [other.name for other in clusters if other.port == cluster.port and not other.is_ours]
    if names:
        free = next(port for port in range(cluster.port + 1, 65536) if port not in used_ports)
        yield Foreign(
            f"port {cluster.port}",
            f"{_join_names(names)} of the host's owner {'are' if names[1:] else 'is'} configured for it.",
            "Ours could not listen there, and is not put in anybody's place.",
            f"give ours another: set stack.postgresql_port to one that is free, such as {free}, in group_data",
        )


def _memory_conflicts(clusters: tuple[ClusterOnHost, ...]) -> Iterator[Foreign]:
    names = [other.name or f"the server in {other.data}" for other in clusters if not other.is_ours]
    if names:
        yield Foreign(
            "memory",
            f"{_join_names(names)} of the host's owner {'take' if names[1:] else 'takes'} a part of it.",
            "Ours would be tuned as if all of the host's were its own.",
            "say how many GiB it may count on: postgresql = Postgresql(memory=2) in group_data",
        )


def _join_names(names: Iterable[str]) -> str:
    *first_names, last = [name if " " in name else f"cluster {name}" for name in names]
    parts = " and ".join([", ".join(first_names), last] if first_names else [last])
    return parts[0].upper() + parts[1:]
