"""What ALTER SYSTEM has set, past all files that are reviewed."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from pyinfra.api.facts import FactBase

from deploys.cluster import Cluster

REPLICATION = "primary_|recovery_target"
"""PostgreSQL's own tools write there which server a replica follows; that is no drift."""


@dataclass(frozen=True)
class AlterSystemState:
    names: tuple[str, ...] = ()
    need_restart: tuple[str, ...] = ()
    """Those in force that only a restart takes back."""


class AlteredSettings(FactBase[AlterSystemState]):
    """The file is read, not the server: it may be down because of what stands there. No values, they may be secret."""

    default = AlterSystemState

    def command(self, cluster: Cluster) -> str:
        in_force = "select 'restart ' || name from pg_settings where context = 'postmaster' and sourcefile = '{}'"
        return (
            f"cat -- {shlex.quote(cluster.auto_conf)} 2>/dev/null"
            f" | grep -vE '^(#|$|{REPLICATION})' | cut -d= -f1 || true\n"
            f"{{ {cluster.sql(in_force.format(cluster.auto_conf))}; }} 2>/dev/null || true"
        )

    def process(self, output: list[str]) -> AlterSystemState:
        lines = [line.strip() for line in output]
        need_restart = tuple(line.split()[1] for line in lines if line.startswith("restart "))
        names = tuple(line for line in lines if not line.startswith("restart "))
        return AlterSystemState(names, tuple(name for name in need_restart if name in names))
