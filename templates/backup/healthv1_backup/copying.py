"""A database, or one table, out of the kept copy: into a new database of the live cluster, never over what is there."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Any

from healthv1_backup.instance import Instance
from healthv1_backup.job import KEPT, Busy, Job, copy_of, live_data
from healthv1_backup.processes import AS_POSTGRES, ENVIRONMENT, Failed, sql
from healthv1_backup.restoring import live_control
from healthv1_backup.settings import Settings

ROOM = 1.2
"""Of the database's size: its indexes are built anew."""


def copy_out(settings: Settings, database: str, table: str = "") -> dict[str, Any]:
    """Copy a database of the kept copy, or one table of it, into a new one; return where it is. Raises `Failed`.

    + table: SCHEMA.TABLE: its rows alone, without indexes and constraints.
    """
    job = Job.load()
    if job is None or not job.rests:
        raise Busy("no copy is kept")
    name, unfinished = f"{database}_restored", f"{database}_restoring"
    if _exists(settings, name):
        raise Failed(f"there is a database {name} already: look at it, then drop it or rename it")
    copy = copy_of(settings)
    with copy.serving(live_control(settings)):
        size, owner = _found(copy, database, table)
        free = shutil.disk_usage(live_data(settings)).free
        if free < size * ROOM:
            raise Failed(f"it needs {size * ROOM / 2**20:.0f} MiB of disk, and {free / 2**20:.0f} MiB are free")
        if _exists(settings, unfinished):  # a killed run left it
            sql(settings, f'drop database "{unfinished}" with (force)', timeout=None)
        sql(settings, f'create database "{unfinished}" template template0 owner "{owner}"', timeout=None)
        sql(settings, f'revoke all on database "{unfinished}" from public')
        _pipe(settings, copy, database, table, unfinished)
    sql(settings, f'alter database "{unfinished}" rename to "{name}"')
    psql = f"sudo -u postgres psql -p {settings.port} {name}"
    return {"database": name, "table": table, "of": job.asked["text"], "former": job.phase != KEPT, "psql": psql}


def _exists(settings: Settings, name: str) -> bool:
    return bool(sql(settings, f"select 1 from pg_database where datname = {_literal(name)}"))


def _found(copy: Instance, database: str, table: str) -> tuple[int, str]:
    """Return the size and the owner of what is copied."""
    rows = copy.ask(
        f"select pg_database_size(oid), pg_get_userbyid(datdba) from pg_database where datname = {_literal(database)}"
    )
    if not rows:
        names = copy.ask("select datname from pg_database where not datistemplate order by 1")
        raise Failed(f"the copy has no database {database}: it has {', '.join(row[0] for row in names)}")
    if not table:
        return int(rows[0][0]), rows[0][1]
    sized = copy.ask(f"select pg_total_relation_size(to_regclass({_literal(table)}))", database)
    if not sized[0][0]:
        raise Failed(f"the copy's {database} has no table {table}")
    return int(sized[0][0]), rows[0][1]


def _pipe(settings: Settings, copy: Instance, database: str, table: str, into: str) -> None:
    """Dump and restore in one pipe: nothing of it lies in a file."""
    parts = [f"--table={table}", "--section=pre-data", "--section=data"] if table else []
    if table:
        sql(settings, f'create schema if not exists "{table.partition(".")[0]}"', into)
    dump = copy.program("pg_dump", "--format=custom", "--no-password", *parts, f"--dbname={database}")
    restore = [str(settings.programs / "pg_restore"), "-p", str(settings.port), "--exit-on-error", f"--dbname={into}"]
    reading, writing = os.pipe()
    with (
        subprocess.Popen([*AS_POSTGRES, *dump], stdout=writing, stderr=subprocess.PIPE, **_LIKE) as source,
        subprocess.Popen([*AS_POSTGRES, *restore], stdin=reading, stderr=subprocess.PIPE, **_LIKE) as sink,
    ):
        os.close(reading)
        os.close(writing)
        errors = [sink.communicate()[1], source.communicate()[1]]
    for process, said, what in ((source, errors[1], "pg_dump"), (sink, errors[0], "pg_restore")):
        if process.returncode:
            raise Failed(f"{what}: {' '.join(said.split()) or process.returncode}")


_LIKE: dict[str, Any] = {"cwd": "/", "env": ENVIRONMENT, "text": True, "errors": "replace"}


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
