"""Other PostgreSQL clusters stay as they are: what cannot stand beside them is refused ahead of the first change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.cluster import Cluster
from deploys.facts.clusters import Clusters, ClustersHere, Standing
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
    there = host.get_fact(ClustersHere, cluster=cluster)
    refuse_foreign(in_the_way(cluster, there, ours=ours, memory=memory))
    host.noop(f"{cluster} can stand beside what is there")
    yield from ()


def in_the_way(cluster: Cluster, there: Clusters, *, ours: bool, memory: float | None) -> Iterator[Foreign]:
    """Yield what keeps ours from being made, or from serving what it holds."""
    yield from _own(cluster, there) if ours else _name(cluster, there)
    yield from _port(cluster, there.others)
    if not there.served and not memory:  # what a cluster that has served takes, it took before others came
        yield from _memory(there.others)


def _own(cluster: Cluster, there: Clusters) -> Iterator[Foreign]:
    former = [one for one in there.others if one.served_us and one.name.partition("/")[2] == cluster.name]
    moved = [data for data in (there.runs_in, there.own and there.own.data) if data and data != there.place]
    if moved:
        yield Foreign(
            f"cluster {cluster}",
            f"Its data lie in {moved[0]}, and not in {cluster.data}.",
            "An apply would have it serve what lies in the latter, if anything.",
            f"put a link to {moved[0]} in the place of {cluster.data}, or move the data back",
        )
    elif there.served and not there.whole:
        yield Foreign(
            f"cluster {cluster}",
            f"It served before, and {cluster.data} does not hold its data.",
            "An apply would begin anew with an empty one.",
            f"mount or restore them; to begin anew, remove {cluster.served}",
        )
    elif former and not there.whole:
        yield Foreign(
            f"cluster {former[-1].name}",
            "It is ours, of the PostgreSQL that this host's former release brought.",
            "An apply would begin anew with an empty one.",
            f"bring its data over: pg_upgradecluster {former[-1].name.replace('/', ' ')}",
        )


def _name(cluster: Cluster, there: Clusters) -> Iterator[Foreign]:
    if there.held:
        yield Foreign(
            f"cluster {cluster}",
            f"What is not ours has the name of ours: {' and '.join(there.held)}.",
            "An apply would have to replace it.",
            f"give it another name: pg_renamecluster {cluster.version} {cluster.name} NAME"
            if there.own
            else "move it elsewhere",
        )


def _port(cluster: Cluster, others: tuple[Standing, ...]) -> Iterator[Foreign]:
    taken = {one.port for one in others}
    takers = [one.name for one in others if one.port == cluster.port and not one.served_us]
    if takers:
        free = next(port for port in range(cluster.port + 1, 65536) if port not in taken)
        yield Foreign(
            f"port {cluster.port}",
            f"{_named(takers)} of the host's owner {'are' if takers[1:] else 'is'} configured for it.",
            "Ours could not listen there, and is not put in anybody's place.",
            f"give ours another: set stack.postgresql_port to one that is free, such as {free}, in group_data",
        )


def _memory(others: tuple[Standing, ...]) -> Iterator[Foreign]:
    names = [one.name or f"the server in {one.data}" for one in others if not one.served_us]
    if names:
        yield Foreign(
            "memory",
            f"{_named(names)} of the host's owner {'take' if names[1:] else 'takes'} a part of it.",
            "Ours would be tuned as if all of the host's were its own.",
            "say how many GiB it may count on: postgresql = Postgresql(memory=2) in group_data",
        )


def _named(names: Iterable[str]) -> str:
    *some, last = [name if " " in name else f"cluster {name}" for name in names]
    listed = " and ".join([", ".join(some), last] if some else [last])
    return listed[0].upper() + listed[1:]
