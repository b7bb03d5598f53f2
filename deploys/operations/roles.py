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
from deploys.credentials.logins import DatabaseLogin, accepted, logins, names
from deploys.facts.cluster import Answer
from deploys.facts.role import RoleState
from deploys.faults import Fault, Refused
from deploys.operations.change import Change, Commands
from deploys.operations.forecast import Phase, forecast

PLAIN = {
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
CUT_OFF = "whoever is logged in as it is cut off"

# Nothing of this session reaches the log, whatever is set: a verifier is worth an attack on the password.
QUIET = """\\set VERBOSITY terse
set log_statement = 'none'; set log_min_duration_statement = -1; set log_min_error_statement = 'panic';
set log_duration = off; set pgaudit.log_statement = off;
"""
_CREATE = """select 'create role "{role}"' where not exists (select from pg_roles where rolname = '{role}') \\gexec
"""
_MEND = """begin;
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
_RETIRE = """alter role "{role}" nologin password null;
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
    found = _found(cluster, (role,))
    if found is None:
        return
    mended = list(_mended(DatabaseLogin(role, password.reveal()), found.get(role), []))
    if not mended:
        host.noop(f"{role} is as it should be")
    for change, statements in mended:
        hidden = bool(unseen) and change.action == "update"
        why = f"{change.why}, and {unseen} cannot be seen before that is mended" if hidden else change.why
        announce_in(cluster, replace(change, why=why))
        yield _psql(cluster, statements)


@operation()
def group_role(cluster: Cluster, role: str) -> Commands:
    """Have a role that holds rights for its members, and has no power of its own.

    One that logs in itself goes on doing so: `drop_old_logins` ends that once nobody needs it.
    """
    found = _found(cluster, (role,))
    if found is None:
        return
    wrong = _differences(found[role], PLAIN) if role in found else []
    if role in found and not wrong:
        host.noop(f"{role} is as it should be")
        return
    announce_in(cluster, _change(role, found.get(role), PLAIN, wrong, "holds rights"))
    yield _psql(cluster, _CREATE.format(role=role) + _MEND.format(role=role, more=""))


@operation()
def login_roles(cluster: Cluster, role: str, password: Secret) -> Commands:
    """Have a member of `role` for each accepted version of the password: it logs in, and has no other power."""
    found = _found(cluster, names(role))
    if found is None:
        return
    wanted = sorted(logins(role, password), key=lambda login: login.role)
    mended = [one for login in wanted for one in _mended(login, found.get(login.role), [role])]
    if not mended:
        host.noop("each login is as it should be")
    announce_in(cluster, *(change for change, _ in mended))
    for _, statements in mended:
        yield _psql(cluster, statements)


@operation()
def drop_old_logins(cluster: Cluster, role: str, password: Secret, database: str, owner: str) -> Commands:
    """Let nobody log in as `role` itself, nor as a member for a version of the password that is not accepted.

    Their sessions are ended. Whatever a dropped login owns in the database, its owner gets.
    """
    found = _found(cluster, (role, *names(role)))
    if found is None:
        return
    lasting = (role, *accepted(role, password))
    stale = sorted(set(found) - set(lasting))
    itself = role in found and (found[role]["login"] or found[role]["salt"])
    if not stale and not itself:
        host.noop("nobody else logs in")
    if itself:
        logins = {"was": "login on", "becomes": "login off", "effect": CUT_OFF}
        announce_in(cluster, Change("role", role, "update", "its members log in, not it", **logins))
    for name in stale:
        why = "its password is not accepted any more"
        announce_in(cluster, Change("role", name, "remove", why, was="login on", effect=CUT_OFF))
    if itself:
        yield _psql(cluster, _RETIRE.format(role=role))
    for name in stale:
        yield _psql(cluster, (_RETIRE + _DROP).format(role=name, owner=owner), database)


def _found(cluster: Cluster, roles: tuple[str, ...]) -> dict[str, dict[str, Any]] | None:
    """Return the roles that exist by name, or None while it cannot be told."""
    answer = host.get_fact(RoleState, cluster=cluster, roles=roles)
    if is_unknown(answer, cluster):
        host.noop(f"{', '.join(roles)} cannot be seen while {cluster.unit} is down")
        return None
    return {row["name"]: row for row in answer.rows}


def is_unknown(answer: Answer, cluster: Cluster) -> bool:
    """Whether the plan has to leave open what the cluster holds, for it is down. Raises `Refused` while executing."""
    plan = forecast()
    if plan.phase is not Phase.EXECUTING:
        if answer.state == "down":
            plan.expect(_unseen(cluster))
        return answer.state == "down"
    if answer.state != "up":
        hint = f"read: journalctl -u {cluster.unit}, and the end of /var/log/postgresql/*.log"
        raise Refused(Fault(host.name, f"{cluster.unit} does not answer.", hint))
    return False


def announce_in(cluster: Cluster, *changes: Change) -> None:
    """Announce what is about to change in a cluster. Raises `Refused` where it was down when that was planned."""
    plan = forecast()
    if changes and plan.phase is Phase.EXECUTING and plan.planned(_unseen(cluster)):
        named = ", ".join(dict.fromkeys(change.target for change in changes))
        what = f"{named} is not as it should be, which no plan could see while {cluster.unit} was down."
        raise Refused(Fault(host.name, what, "it is up now: look at the plan, and apply again"))
    for change in changes:
        plan.announce(change)


def _unseen(cluster: Cluster) -> str:
    return f"{cluster.unit} is not seen into"


def _mended(login: DatabaseLogin, found: dict[str, Any] | None, member_of: list[str]) -> Iterator[tuple[Change, str]]:
    """Yield what makes the role log in so, unless it does."""
    same = found is not None and _has_password(found, login.password)
    wanted = {"login": True, **PLAIN, "member of": member_of}
    wrong = _differences(found, wanted) if found else []
    if same and not wrong:
        return
    more = f'alter role "{login.role}" login;\n' + "".join(f'grant "{one}" to "{login.role}";\n' for one in member_of)
    more += "" if same else f"alter role \"{login.role}\" password '{scram.verifier(login.password)}';\n"
    mend = _MEND.format(role=login.role, more=more)
    what = f"logs in, member of {_shown(member_of)}"
    yield (
        _change(login.role, found, wanted, wrong, what, rotated=not same),
        QUIET + _CREATE.format(role=login.role) + mend,
    )


def _change(
    role: str,
    found: dict[str, Any] | None,
    wanted: dict[str, Any],
    wrong: list[str],
    what: str,
    *,
    rotated: bool = False,
) -> Change:
    """Return what is announced.

    + wrong: the names of what the role has otherwise than wanted.
    + what: what it is, should it be made.
    """
    if found is None:
        return Change("role", role, "create", becomes=what)
    was = [f"{name} {_shown(found[name])}" for name in wrong] + ["another password"] * rotated
    becomes = [f"{name} {_shown(wanted[name])}" for name in wrong] + ["password rotated"] * rotated
    why = "its password is not the one in the backend" if rotated else "it may do otherwise than meant"
    return Change("role", role, "update", why, was=", ".join(was), becomes=", ".join(becomes))


def _psql(cluster: Cluster, statements: str, database: str = "postgres") -> StringCommand:
    return StringCommand("sh", "-c", QuoteString(f"{cluster.psql} {database} -f -"), _stdin=statements)


def _has_password(found: dict[str, Any], password: str) -> bool:
    return bool(found["salt"]) and scram.digest(scram.verifier(password, found["salt"])) == found["digest"]


def _differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    return [name for name, value in wanted.items() if found[name] != value]


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return (", ".join(value) or "nothing") if isinstance(value, list) else str(value)
