"""What holds of PostgreSQL on its host."""

from __future__ import annotations

from deploys.cluster import Cluster
from deploys.component import Check
from deploys.credentials.logins import accepted_names
from deploys.postgresql.commands import has_valid_certificate, in_force_condition, is_enabled
from deploys.postgresql.configuration import listen_addresses
from deploys.postgresql.settings import READER, Reading
from deploys.recovery import check_no_core_dump, check_restart
from deploys.stack import Stack, Topology


def checks(cluster: Cluster, stack: Stack, topology: Topology, reading: Reading | None = None) -> list[Check]:
    return [
        *_cluster_checks(cluster, listen_addresses(topology, reading)),
        *_admission_checks(cluster),
        *_role_checks(cluster, stack),
        *_rights_checks(cluster, stack),
    ]


def final_checks(cluster: Cluster, stack: Stack, reading: Reading | None = None) -> list[Check]:
    """Return what holds once nobody uses any more what is taken away: the last logins, the right to read."""
    return [_member_check(cluster, stack), _connect_check(cluster, stack, READER if reading else stack.database_user)]


def _cluster_checks(cluster: Cluster, expected_addresses: tuple[str, ...]) -> list[Check]:
    journal = f"read: journalctl -u {cluster.unit}, and the end of /var/log/postgresql/*.log"
    sockets = f"ss -Hltn 'sport = :{cluster.port}' | awk '{{print $4}}' | sort -u"
    listening = " ".join(sorted(f"{address}:{cluster.port}" for address in expected_addresses))
    return [
        Check("The cluster runs", f"systemctl is-active --quiet {cluster.unit}", journal),
        Check(
            "The cluster starts with the host",
            f"{is_enabled(cluster)} && grep -qx auto {cluster.configuration}/start.conf",
            "run: healthv1 apply ENV",
        ),
        Check("PostgreSQL answers", cluster.holds("true"), journal),
        check_no_core_dump("PostgreSQL", cluster.unit),
        check_restart("PostgreSQL", cluster.unit),
        Check(
            "PostgreSQL takes writes and checks what it reads",
            cluster.holds("not pg_is_in_recovery() and current_setting('data_checksums')::bool"),
            "a cluster made without checksums gets them from pg_checksums while it is stopped",
        ),
        Check(
            "PostgreSQL runs with exactly what its files say",
            cluster.holds(in_force_condition(cluster)),
            "read: select * from pg_file_settings where not applied; then run: healthv1 apply ENV",
        ),
        Check(
            "ALTER SYSTEM has set nothing",
            cluster.holds("not exists(select from pg_file_settings where sourcefile like '%/postgresql.auto.conf')"),
            "run: healthv1 apply ENV",
        ),
        Check(
            "PostgreSQL listens only where it is meant to",
            f'test "$({sockets} | paste -sd " ")" = "{listening}"',
            "read: show listen_addresses; a port that another program took shows in the log",
        ),
    ]


def _admission_checks(cluster: Cluster) -> list[Check]:
    weak = "auth_method not in ('scram-sha-256', 'peer', 'reject') or (auth_method = 'peer' and type <> 'local')"
    open_to_all = "address is not null and address <> '127.0.0.1' and type <> 'hostssl'"
    return [
        Check(
            "Everyone logs in with SCRAM, and from other hosts over TLS",
            cluster.holds(
                f"not exists(select from pg_hba_file_rules where error is not null or {weak} or {open_to_all})"
            ),
            "run: healthv1 apply ENV",
        ),
        Check(
            "No role has a password that is not SCRAM",
            cluster.holds("not exists(select from pg_authid where rolpassword not like 'SCRAM-SHA-256$%')"),
            "give it a new password, or drop it",
        ),
        Check(
            "The TLS key is the host's own, and its certificate lasts",
            has_valid_certificate(cluster),
            "run: healthv1 apply ENV",
        ),
        Check(
            "The log says who did what, and never with which values",
            cluster.holds(
                "current_setting('pgaudit.log') = 'ddl, role, write'"
                " and not current_setting('pgaudit.log_statement')::bool"
                " and current_setting('log_statement') = 'none' and current_setting('log_error_verbosity') = 'terse'"
                " and current_setting('log_min_error_statement') = 'panic'"
                " and current_setting('log_parameter_max_length') = '0'"
            ),
            "run: healthv1 apply ENV",
        ),
    ]


def _role_checks(cluster: Cluster, stack: Stack) -> list[Check]:
    logins = accepted_names(stack.database_user, stack.database_password)
    quoted = ", ".join(f"'{name}'" for name in sorted(logins))
    powerful = "rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls"
    return [
        Check(
            f"{stack.database_owner} and {' and '.join(logins)} log in and have no power over the cluster",
            cluster.holds(
                f"count(*) = {1 + len(logins)} from pg_roles"
                f" where rolname in ('{stack.database_owner}', {quoted}) and rolcanlogin and not ({powerful})"
            ),
            "run: healthv1 apply ENV",
        ),
        Check(
            "Only postgres is a superuser",
            cluster.holds("not exists(select from pg_roles where rolsuper and rolname <> 'postgres')"),
            "find out who made it one, then: alter role … nosuperuser",
        ),
    ]


def _member_check(cluster: Cluster, stack: Stack) -> Check:
    logins = accepted_names(stack.database_user, stack.database_password)
    quoted = ", ".join(f"'{name}'" for name in sorted(logins))
    return Check(
        f"Nobody but {' and '.join(logins)} has the rights of {stack.database_user}, which does not log in itself",
        cluster.holds(
            f"array_agg(rolname::text order by rolname) = array[{quoted}]"
            f" from pg_roles where rolname <> '{stack.database_user}' and not rolsuper"
            f" and pg_has_role(oid, '{stack.database_user}', 'member')"
        )
        + " && "
        + cluster.holds(f"not rolcanlogin from pg_roles where rolname = '{stack.database_user}'"),
        "run: healthv1 apply ENV; a role that somebody made a member, they revoke it from",
    )


def _connect_check(cluster: Cluster, stack: Stack, reader: str) -> Check:
    return Check(
        f"Nobody but its roles may connect to {stack.database}",
        cluster.holds(
            "not exists(select from pg_roles where not rolsuper and has_database_privilege(oid, current_database(),"
            f" 'connect') and rolname <> '{stack.database_owner}'"
            f" and not pg_has_role(oid, '{stack.database_user}', 'member')"
            f" and not pg_has_role(oid, '{reader}', 'member'))",
            stack.database,
        ),
        f"revoke connect on database {stack.database} from whom it lists in \\l",
    )


def _rights_checks(cluster: Cluster, stack: Stack) -> list[Check]:
    database = stack.database
    create = "begin; set local role {}; create table public.healthv1_check(); rollback"
    return [
        Check(
            f"{stack.database_owner} can create tables",
            cluster.sql(create.format(stack.database_owner), database),
            "run: healthv1 apply ENV",
        ),
        Check(
            f"{stack.database_user} cannot create tables",
            f"{cluster.sql('select 1', database)}"
            f" && ! {{ {cluster.sql(create.format(stack.database_user), database)}; }}",
            "run: healthv1 apply ENV",
        ),
    ]
