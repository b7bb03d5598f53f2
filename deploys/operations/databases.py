"""PostgreSQL databases: one role owns one and its schema public, one uses it, and nobody else gets in."""

from __future__ import annotations

from typing import Any

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.cluster import Cluster
from deploys.facts.cluster import ClusterAnswer
from deploys.facts.database import DatabaseState
from deploys.operations.change import Change, Commands
from deploys.operations.roles import announce_in, is_cluster_down

_STATEMENTS = """\\set VERBOSITY terse
select 'create database "{database}" owner "{owner}" template template0 encoding ''UTF8'''
  where not exists (select from pg_database where datname = '{database}') \\gexec
alter database "{database}" allow_connections true;
\\connect "{database}"
begin;
alter database "{database}" owner to "{owner}";
alter database "{database}" reset all;
revoke all on database "{database}" from public, "{user}";
grant connect on database "{database}" to "{user}";
create schema if not exists public;
alter schema public owner to "{owner}";
revoke all on schema public from public, "{user}";
grant usage on schema public to "{user}";
commit;
"""


@operation()
def database(cluster: Cluster, database: str, owner: str, user: str) -> Commands:
    """Have a database in which `owner` may create and `user` may work with what it was granted."""
    answer = host.get_fact(DatabaseState, cluster=cluster, database=database, user=user)
    if is_cluster_down(answer, cluster):
        host.noop(f"{database} cannot be seen while {cluster.unit} is down")
        return
    changes = list(_changes(answer, database, owner, user))
    if not changes:
        host.noop(f"{database} is as it should be")
        return
    announce_in(cluster, *changes)
    statements = _STATEMENTS.format(database=database, owner=owner, user=user)
    yield StringCommand("sh", "-c", QuoteString(f"{cluster.psql} postgres -f -"), _stdin=statements)


def _changes(answer: ClusterAnswer, database: str, owner: str, user: str) -> list[Change]:
    if not answer.rows:
        return [Change("database", database, "create", becomes=f"owned by {owner}")]
    target = {"owner": owner, "connectable": True, "own settings": False, "public": [], "user": ["CONNECT"]}
    current, *schema = answer.rows
    changes = _updates("database", database, current, target, user)
    schema_target = {"owner": owner, "public": [], "user": ["USAGE"]}
    name = f"{database}.public"
    if not schema:
        return [*changes, Change("schema", name, "create", becomes=f"owned by {owner}")]
    return changes + _updates("schema", name, schema[0], schema_target, user)


def _updates(kind: str, name: str, current: dict[str, Any], target: dict[str, Any], user: str) -> list[Change]:
    differing = [key for key, value in target.items() if current[key] != value]
    was, becomes = (", ".join(_describe(key, state[key], user) for key in differing) for state in (current, target))
    return [Change(kind, name, "update", was=was, becomes=becomes)] if differing else []


def _describe(key: str, value: object, user: str) -> str:
    name = {"public": "everyone may", "user": f"{user} may", "owner": "owned by"}.get(key, key)
    if isinstance(value, bool):
        return name if value else f"not {name}"
    return f"{name} {(', '.join(value) or 'nothing') if isinstance(value, list) else value}"
