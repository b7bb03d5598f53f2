"""Vault has readers made and removed by two functions: it may do nothing else, whatever it is told or becomes.

The right to make roles would be far more. Up to PostgreSQL 15 whoever has it can become nearly anybody.
"""

from __future__ import annotations

import hashlib

from deploys.cluster import Cluster
from deploys.component import Check, template
from deploys.operations.change import Change
from deploys.operations.shell import ensure
from deploys.postgresql.settings import MAKER, READER, Reading
from deploys.stack import Stack

SCHEMA = "health_reading"
FUNCTIONS = ("make(text, text, timestamptz)", "finish(text)")
# What a reader must see and what not, column by column; and that it may change nothing.
_READS_ALLOWED = """not exists(select from pg_attribute join pg_class c on c.oid = attrelid
  where relnamespace = 'health'::regnamespace and relkind in ('r', 'p', 'v', 'm') and attnum > 0 and not attisdropped
    and has_column_privilege('{reader}', attrelid, attnum, 'select')
      <> (relname || '.' || attname <> all (array[{withheld}]::text[])))
  and not exists(select from pg_class where relnamespace = 'health'::regnamespace and relkind in ('r', 'p', 'v', 'm')
    and has_table_privilege('{reader}', oid, 'insert, update, delete, truncate, references, trigger'))
  and has_schema_privilege('{reader}', 'health', 'usage')
  and has_database_privilege('{reader}', current_database(), 'connect')"""
_FUNCTIONS_CURRENT = """obj_description('{schema}'::regnamespace, 'pg_namespace') = '{digest}'
  and has_schema_privilege('{maker}', '{schema}', 'usage') and {granted}
  and bool_and(prosecdef and proowner = 'postgres'::regrole) and count(*) = {count}
  from pg_proc where pronamespace = '{schema}'::regnamespace"""
_READING_EXISTS = """exists(select from pg_roles where rolname in ('{maker}', '{reader}'))
  or exists(select from pg_namespace where nspname = '{schema}')"""
_MAKER_HAS_NO_POWERS = """not (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls)
  and not exists(select from pg_auth_members where member = r.oid)
  from pg_roles r where rolname = '{maker}' and rolcanlogin"""
_NO_EXPIRED_LOGINS = """not exists(select from pg_roles where rolname like 'v-%'
  and pg_has_role(oid, '{reader}', 'member') and rolvaliduntil < now() - interval '15 minutes')"""
# A reader made as Vault makes one, looked at, and never there for anybody else.
_TRY_FUNCTIONS = """begin; set local role {maker};
select {schema}.make('v-check', 'SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy', now() + interval '1 hour'); reset role;
do $$ begin assert (select rolcanlogin and rolconnlimit > 0 and rolvaliduntil < now() + interval '1 day'
  and not (rolsuper or rolcreaterole or rolcreatedb or rolbypassrls or rolreplication)
  and 'default_transaction_read_only=on' = any (rolconfig) and pg_has_role(oid, '{reader}', 'member')
  from pg_roles where rolname = 'v-check'); end $$;
set local role {maker}; select {schema}.finish('v-check'); reset role;
do $$ begin assert not exists(select from pg_roles where rolname = 'v-check'); end $$; rollback"""


def allow_reading(cluster: Cluster, stack: Stack, reading: Reading) -> None:
    """Have the functions, and the right to read."""
    values = {"reading": reading, "maker": MAKER, "reader": READER}
    digest = hashlib.sha256(template("postgresql/reading.sql", digest="", **values)().encode()).hexdigest()
    ensure(
        name="Let Vault make readers, and nothing else",
        change=Change("schema", f"postgres.{SCHEMA}", "update", "how readers are made"),
        test=cluster.holds(_functions_condition(digest)),
        command=f"{cluster.psql} postgres -f -",
        stdin=template("postgresql/reading.sql", digest=digest, **values),
    )
    ensure(
        name="Let readers read",
        change=Change("role", READER, "update", "what it may read"),
        test=cluster.holds(_reads_condition(reading), stack.database),
        command=f"{cluster.psql} {stack.database} -f -",
        after=(stack.current,),  # a release may bring tables
        stdin=template(
            "postgresql/readable.sql", database=stack.database, reader=READER, withheld=_quoted(reading.withheld)
        ),
    )


def remove_reading(cluster: Cluster, stack: Stack) -> None:
    """Have nothing that lets Vault in, nor a login that it made."""
    ensure(
        name="Let Vault make no logins",
        change=Change(
            "role", f"{MAKER}, {READER}", "remove", "group_data has no reading", effect="readers' sessions end"
        ),
        test=f"! {{ {cluster.holds(_reading_condition())}; }}",
        command=f"{cluster.psql} postgres -f -",
        stdin=template("postgresql/unread.sql", database=stack.database, maker=MAKER, reader=READER),
    )


def reading_checks(cluster: Cluster, stack: Stack, reading: Reading) -> list[Check]:
    return [
        Check(
            "Vault can have a reader made and removed",
            cluster.sql(_TRY_FUNCTIONS.format(maker=MAKER, reader=READER, schema=SCHEMA)),
            "run: healthv1 apply ENV",
        ),
        Check(
            f"{MAKER} can do nothing else",
            cluster.holds(_MAKER_HAS_NO_POWERS.format(maker=MAKER)),
            "run: healthv1 apply ENV",
        ),
        Check(
            f"{READER} reads all but {', '.join(reading.withheld) or 'nothing'}, and changes nothing",
            cluster.holds(_reads_condition(reading), stack.database),
            "run: healthv1 apply ENV",
        ),
        Check(
            "No reader's login has outlived its session",
            cluster.holds(_NO_EXPIRED_LOGINS.format(reader=READER)),
            f"let Vault remove it: bao lease revoke -prefix {reading.logins.mount}/creds/{reading.logins.role}",
        ),
    ]


def _functions_condition(digest: str) -> str:
    granted = " and ".join(
        f"has_function_privilege('{MAKER}', '{SCHEMA}.{function}', 'execute')" for function in FUNCTIONS
    )
    return _FUNCTIONS_CURRENT.format(maker=MAKER, schema=SCHEMA, digest=digest, granted=granted, count=len(FUNCTIONS))


def _reads_condition(reading: Reading) -> str:
    return _READS_ALLOWED.format(reader=READER, withheld=_quoted(reading.withheld))


def _reading_condition() -> str:
    return _READING_EXISTS.format(maker=MAKER, reader=READER, schema=SCHEMA)


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)
