"""What a PostgreSQL cluster answers, whether it is there or not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from deploys.cluster import Cluster


@dataclass(frozen=True)
class Answer:
    """What a cluster said."""

    state: Literal["absent", "down", "up"] = "absent"
    """Of a cluster that is down nothing is known; one that never ran for us counts as absent."""
    rows: tuple[dict[str, Any], ...] = ()


def asking(cluster: Cluster, *questions: str) -> str:
    """Return shell that prints the state, then each answer. A question is a shell command that prints JSON lines."""
    first, *others = questions
    asked = "\n".join(f"{{ {question}; }} 2>/dev/null || true" for question in others)
    return f"""first=$({{ {first}; }} 2>/dev/null)
if [ -n "$first" ] || {{ {cluster.sql("select 1")}; }} >/dev/null 2>&1; then echo up
[ -z "$first" ] || printf '%s\\n' "$first"
{asked}
elif [ -s {cluster.data}/global/pg_control ] && [ -e {cluster.served} ]; then echo down
else echo absent; fi"""


def answered(output: list[str]) -> Answer:
    state, *rows = output
    if state not in {"absent", "down", "up"}:
        raise ValueError(f"unexpected answer: {state}")
    return Answer(state, tuple(json.loads(row) for row in rows))  # type: ignore[arg-type]  # just checked
