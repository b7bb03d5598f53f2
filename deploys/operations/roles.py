"""PostgreSQL roles: they log in with SCRAM and may do nothing that was not meant."""

from __future__ import annotations

from typing import Any

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys import scram
from deploys.cluster import Cluster
from deploys.component import Secret
from deploys.facts.cluster import Answer
from deploys.facts.role import RoleState
from deploys.faults import Fault, Refused
from deploys.operations.change import Change, Commands, announce

PLAIN = {
    "login": True,
    "superuser": False,
    "createdb": False,
    "createrole": False,
    "replication": False,
    "bypassrls": False,
    "inherit": True,
    "connection limit": -1,
    "expires": False,
    "member of": [],
    "own settings": False,
}
"""What a role is that logs in and has no power of its own."""

# Nothing of this session reaches the log, whatever is set: a verifier is worth an attack on the password.
QUIET = """\\set VERBOSITY terse
set log_statement = 'none'; set log_min_duration_statement = -1; set log_min_error_statement = 'panic';
set log_duration = off; set pgaudit.log_statement = off;
"""
_CREATE = """select 'create role "{role}"' where not exists (select from pg_roles where rolname = '{role}') \\gexec
"""
_MEND = """begin;
alter role "{role}" login nosuperuser nocreatedb nocreaterole noreplication nobypassrls inherit connection limit -1
  valid until 'infinity';
alter role "{role}" reset all;
select format('alter role %I in database %I reset all', '{role}', d.datname)
  from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase
  where s.setrole = (select oid from pg_roles where rolname = '{role}') \\gexec
select distinct format('revoke %I from %I cascade', r.rolname, '{role}')
  from pg_auth_members m join pg_roles r on r.oid = m.roleid
  where m.member = (select oid from pg_roles where rolname = '{role}') \\gexec
{password}commit;
"""


@operation()
def role(cluster: Cluster, role: str, password: Secret) -> Commands:
    """Have a role that logs in with this password, is a member of nothing, and has no power of its own."""
    answer = host.get_fact(RoleState, cluster=cluster, role=role)
    if is_unknown(answer, cluster):
        host.noop(f"{role} cannot be seen while {cluster.unit} is down")
        return
    found = answer.rows[0] if answer.rows else None
    same = found is not None and _has_password(found, password.reveal())
    reasons = _differences(found, same_password=same) if found else []
    if found and not reasons:
        host.noop(f"{role} is as it should be")
        return
    announce(Change("role", role, "update" if found else "create", ", ".join(reasons)))
    setting = "" if same else f"alter role \"{role}\" password '{scram.verifier(password.reveal())}';\n"
    statements = QUIET + _CREATE.format(role=role) + _MEND.format(role=role, password=setting)
    yield StringCommand("sh", "-c", QuoteString(f"{cluster.psql} postgres -f -"), _stdin=statements)


def is_unknown(answer: Answer, cluster: Cluster) -> bool:
    """Whether the plan has to leave open what the cluster holds, for it is down. Raises `Refused` while executing."""
    if not host.state.is_executing:
        return answer.state == "down"
    if answer.state != "up":
        hint = f"read: journalctl -u {cluster.unit}, and the end of /var/log/postgresql/*.log"
        raise Refused(Fault(host.name, f"{cluster.unit} does not answer.", hint))
    return False


def _has_password(found: dict[str, Any], password: str) -> bool:
    return bool(found["salt"]) and scram.digest(scram.verifier(password, found["salt"])) == found["digest"]


def _differences(found: dict[str, Any], *, same_password: bool) -> list[str]:
    different = [f"{name} {_shown(found[name])}" for name, wanted in PLAIN.items() if found[name] != wanted]
    return different + ["its password is not the one in the backend"] * (not same_password)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(value) if isinstance(value, list) else str(value)
