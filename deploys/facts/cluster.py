"""Queries to a PostgreSQL cluster that may be absent or down."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from deploys.cluster import Cluster


@dataclass(frozen=True)
class ClusterAnswer:
    """A cluster's state and the rows of its answers."""

    state: Literal["absent", "down", "up"] = "absent"
    """A cluster that never ran for us counts as absent. Down: its content is unknown."""
    rows: tuple[dict[str, Any], ...] = ()


def query_script(cluster: Cluster, *queries: str) -> str:
    """Return shell that prints the state, then the answers. A query is a shell command that prints JSON lines."""
    first, *other_queries = queries
    query_lines = "\n".join(f"{{ {query}; }} 2>/dev/null || true" for query in other_queries)
    return f"""first=$({{ {first}; }} 2>/dev/null)
if [ -n "$first" ] || {{ {cluster.sql("select 1")}; }} >/dev/null 2>&1; then echo up
[ -z "$first" ] || printf '%s\\n' "$first"
{query_lines}
elif [ -s {cluster.data}/global/pg_control ] && [ -e {cluster.served_marker} ]; then echo down
else echo absent; fi"""


def parse_answer(output: list[str]) -> ClusterAnswer:
    state, *rows = output
    if state not in {"absent", "down", "up"}:
        raise ValueError(f"unexpected answer: {state}")
    return ClusterAnswer(state, tuple(json.loads(row) for row in rows))  # type: ignore[arg-type]  # just checked
