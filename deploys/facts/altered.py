"""Parameters set by ALTER SYSTEM, which bypasses our reviewed files."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from pyinfra.api.facts import FactBase

from deploys.cluster import Cluster

REPLICATION = "primary_|recovery_target"
"""PostgreSQL's tools write a replica's primary server there; that is no drift."""


@dataclass(frozen=True)
class AlterSystemState:
    names: tuple[str, ...] = ()
    need_restart: tuple[str, ...] = ()
    """Active ones that only a restart resets."""


class AlteredSettings(FactBase[AlterSystemState]):
    """Reads the file: its content may be why the server is down. Reads no values: they may be secret."""

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
