"""PostgreSQL roles: they log in with SCRAM and may do nothing that was not meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.cluster import Cluster
from deploys.component import Secret
from deploys.credentials import scram
from deploys.credentials.logins import DatabaseLogin, accepted_names, login_names, logins
from deploys.facts.cluster import ClusterAnswer
from deploys.facts.role import RoleState
from deploys.faults import Fault, Refused
from deploys.operations.change import Change, Commands
from deploys.operations.forecast import Phase, forecast

NO_POWERS = {
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
"""What a role is that has no power of its own. Whether it logs in is said apart."""
SESSIONS_END_EFFECT = "whoever is logged in as it is cut off"

# Nothing of this session reaches the log, whatever is set: a verifier is worth an attack on the password.
NO_LOGGING = """\\set VERBOSITY terse
set log_statement = 'none'; set log_min_duration_statement = -1; set log_min_error_statement = 'panic';
set log_duration = off; set pgaudit.log_statement = off;
"""
_CREATE = """select 'create role "{role}"' where not exists (select from pg_roles where rolname = '{role}') \\gexec
"""
_ALTER = """begin;
alter role "{role}" nosuperuser nocreatedb nocreaterole noreplication nobypassrls inherit connection limit -1
  valid until 'infinity';
alter role "{role}" reset all;
select format('alter role %I in database %I reset all', '{role}', d.datname)
  from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase
  where s.setrole = (select oid from pg_roles where rolname = '{role}') \\gexec
select distinct format('revoke %I from %I cascade', r.rolname, '{role}')
  from pg_auth_members m join pg_roles r on r.oid = m.roleid
  where m.member = (select oid from pg_roles where rolname = '{role}') \\gexec
{more}commit;
"""
# Nobody comes in again, then who is in leaves, then the role goes. What it owns, somebody made by hand.
_DISABLE = """alter role "{role}" nologin password null;
select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity where usename = '{role}' \\g /dev/null
"""
_DROP = """reassign owned by "{role}" to "{owner}";
drop owned by "{role}";
drop role "{role}";
"""


@operation()
def role(cluster: Cluster, role: str, password: Secret, unseen: str = "") -> Commands:
    """Have a role that logs in with this password, is a member of nothing, and has no power of its own.

    + unseen: what no plan sees before it logs in as it is meant to.
    """
    roles = _existing_roles(cluster, (role,))
    if roles is None:
        return
    changes = list(_login_changes(DatabaseLogin(role, password.reveal()), roles.get(role), []))
    if not changes:
        host.noop(f"{role} is as it should be")
    for change, statements in changes:
        hidden = bool(unseen) and change.action == "update"
        why = f"{change.why}, and {unseen} cannot be seen before that is mended" if hidden else change.why
        announce_in(cluster, replace(change, why=why))
        yield _psql(cluster, statements)


@operation()
def group_role(cluster: Cluster, role: str) -> Commands:
    """Have a role that holds rights for its members, and has no power of its own.

    One that logs in itself goes on doing so: `drop_old_logins` ends that once nobody needs it.
    """
    roles = _existing_roles(cluster, (role,))
    if roles is None:
        return
    differing = _differences(roles[role], NO_POWERS) if role in roles else []
    if role in roles and not differing:
        host.noop(f"{role} is as it should be")
        return
    announce_in(cluster, _change(role, roles.get(role), NO_POWERS, differing, "holds rights"))
    yield _psql(cluster, _CREATE.format(role=role) + _ALTER.format(role=role, more=""))


@operation()
def login_roles(cluster: Cluster, role: str, password: Secret) -> Commands:
    """Have a member of `role` for each accepted version of the password: it logs in, and has no other power."""
    roles = _existing_roles(cluster, login_names(role))
    if roles is None:
        return
    accepted_logins = sorted(logins(role, password), key=lambda login: login.role)
    changes = [change for login in accepted_logins for change in _login_changes(login, roles.get(login.role), [role])]
    if not changes:
        host.noop("each login is as it should be")
    announce_in(cluster, *(change for change, _ in changes))
    for _, statements in changes:
        yield _psql(cluster, statements)


@operation()
def drop_old_logins(cluster: Cluster, role: str, password: Secret, database: str, owner: str) -> Commands:
    """Let nobody log in as `role` itself, nor as a member for a version of the password that is not accepted.

    Their sessions are ended. Whatever a dropped login owns in the database, its owner gets.
    """
    roles = _existing_roles(cluster, (role, *login_names(role)))
    if roles is None:
        return
    kept_roles = (role, *accepted_names(role, password))
    stale_roles = sorted(set(roles) - set(kept_roles))
    group_logs_in = role in roles and (roles[role]["login"] or roles[role]["salt"])
    if not stale_roles and not group_logs_in:
        host.noop("nobody else logs in")
    if group_logs_in:
        logins = {"was": "login on", "becomes": "login off", "effect": SESSIONS_END_EFFECT}
        announce_in(cluster, Change("role", role, "update", "its members log in, not it", **logins))
    for name in stale_roles:
        why = "its password is not accepted any more"
        announce_in(cluster, Change("role", name, "remove", why, was="login on", effect=SESSIONS_END_EFFECT))
    if group_logs_in:
        yield _psql(cluster, _DISABLE.format(role=role))
    for name in stale_roles:
        yield _psql(cluster, (_DISABLE + _DROP).format(role=name, owner=owner), database)


def _existing_roles(cluster: Cluster, roles: tuple[str, ...]) -> dict[str, dict[str, Any]] | None:
    """Return the roles that exist by name, or None while it cannot be told."""
    answer = host.get_fact(RoleState, cluster=cluster, roles=roles)
    if is_cluster_down(answer, cluster):
        host.noop(f"{', '.join(roles)} cannot be seen while {cluster.unit} is down")
        return None
    return {row["name"]: row for row in answer.rows}


def is_cluster_down(answer: ClusterAnswer, cluster: Cluster) -> bool:
    """Whether the plan has to leave open what the cluster holds, for it is down. Raises `Refused` while executing."""
    plan = forecast()
    if plan.phase is not Phase.EXECUTING:
        if answer.state == "down":
            plan.expect(_unseen_target(cluster))
        return answer.state == "down"
    if answer.state != "up":
        hint = f"read: journalctl -u {cluster.unit}, and the end of /var/log/postgresql/*.log"
        raise Refused(Fault(host.name, f"{cluster.unit} does not answer.", hint))
    return False


def announce_in(cluster: Cluster, *changes: Change) -> None:
    """Announce what is about to change in a cluster. Raises `Refused` where it was down when that was planned."""
    plan = forecast()
    if changes and plan.phase is Phase.EXECUTING and plan.planned(_unseen_target(cluster)):
        targets = ", ".join(dict.fromkeys(change.target for change in changes))
        what = f"{targets} is not as it should be, which no plan could see while {cluster.unit} was down."
        raise Refused(Fault(host.name, what, "it is up now: look at the plan, and apply again"))
    for change in changes:
        plan.announce(change)


def _unseen_target(cluster: Cluster) -> str:
    return f"{cluster.unit} is not seen into"


def _login_changes(
    login: DatabaseLogin, current: dict[str, Any] | None, member_of: list[str]
) -> Iterator[tuple[Change, str]]:
    """Yield what makes the role log in so, unless it does."""
    same_password = current is not None and _has_password(current, login.password)
    target = {"login": True, **NO_POWERS, "member of": member_of}
    differing = _differences(current, target) if current else []
    if same_password and not differing:
        return
    extra_statements = f'alter role "{login.role}" login;\n' + "".join(
        f'grant "{group}" to "{login.role}";\n' for group in member_of
    )
    extra_statements += (
        "" if same_password else f"alter role \"{login.role}\" password '{scram.verifier(login.password)}';\n"
    )
    alter = _ALTER.format(role=login.role, more=extra_statements)
    description = f"logs in, member of {_describe(member_of)}"
    yield (
        _change(login.role, current, target, differing, description, rotated=not same_password),
        NO_LOGGING + _CREATE.format(role=login.role) + alter,
    )


def _change(
    role: str,
    current: dict[str, Any] | None,
    target: dict[str, Any],
    differing: list[str],
    description: str,
    *,
    rotated: bool = False,
) -> Change:
    """Return what is announced.

    + differing: the names of what the role has otherwise than wanted.
    + description: what it is, should it be made.
    """
    if current is None:
        return Change("role", role, "create", becomes=description)
    was = [f"{name} {_describe(current[name])}" for name in differing] + ["another password"] * rotated
    becomes = [f"{name} {_describe(target[name])}" for name in differing] + ["password rotated"] * rotated
    why = "its password is not the one in the backend" if rotated else "it may do otherwise than meant"
    return Change("role", role, "update", why, was=", ".join(was), becomes=", ".join(becomes))


def _psql(cluster: Cluster, statements: str, database: str = "postgres") -> StringCommand:
    return StringCommand("sh", "-c", QuoteString(f"{cluster.psql} {database} -f -"), _stdin=statements)


def _has_password(current: dict[str, Any], password: str) -> bool:
    return bool(current["salt"]) and scram.digest(scram.verifier(password, current["salt"])) == current["digest"]


def _differences(current: dict[str, Any], target: dict[str, Any]) -> list[str]:
    return [name for name, value in target.items() if current[name] != value]


def _describe(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return (", ".join(value) or "nothing") if isinstance(value, list) else str(value)
