"""Applies each revision, and says what would hurt the release that still runs meanwhile. Run by the service's Python.

guard.py FROM [FOLDER]: from that revision on; the folder holds more revisions. Prints one line per fault.
"""

import sys
from contextlib import suppress

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import event, text

from healthv1_api import migrate
from healthv1_api.database.direct import owner_connection
from healthv1_api.settings import MigrationSettings, read

TABLES = """
SELECT c.oid, c.relname, c.relfilenode FROM pg_class c
WHERE c.relnamespace = 'health'::regnamespace AND c.relkind IN ('r', 'p')
"""
HELD = """
SELECT l.relation, l.mode, coalesce(s.seq_scan, 0) FROM pg_locks l
LEFT JOIN pg_stat_xact_all_tables s ON s.relid = l.relation
WHERE l.pid = pg_backend_pid() AND l.relation IS NOT NULL
  AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
"""
DEMANDING = """
SELECT a.attrelid, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'health'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
  AND a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
"""


def faults(settings, since, folder):
    with owner_connection(settings) as connection:
        config = migrate._config(settings, connection)
        if folder:
            config.set_main_option("path_separator", "space")
            config.set_main_option("version_locations", f"healthv1_api:migrations/versions {folder}")
        revisions = [one.revision for one in ScriptDirectory.from_config(config).walk_revisions()][::-1]
        connection.execute(text("CREATE SCHEMA IF NOT EXISTS health"))
        connection.commit()
        command.upgrade(config, since)
        for revision in revisions[revisions.index(since) + 1 :]:
            yield from (f"{revision}: {fault}" for fault in _of(connection, config, revision))


def _of(connection, config, revision):
    before = {oid: (name, file) for oid, name, file in connection.execute(text(TABLES))}
    demanded = {tuple(row) for row in connection.execute(text(DEMANDING))}
    # Or the counts of the revision before would be among this one's.
    connection.execute(text("SELECT pg_stat_force_next_flush()"))
    connection.commit()
    found = []

    def at_commit(connection):
        cursor = connection.connection.cursor()
        files = {oid: file for oid, _, file in cursor.execute(TABLES).fetchall()}
        for oid, mode, scans in cursor.execute(HELD).fetchall():
            name, file = before.get(oid, (None, None))
            if name and scans:
                found.append(f"reads all of {name} while it holds its {mode}")
            if name and files.get(oid, file) != file:
                found.append(f"writes all of {name} anew while it holds its {mode}")

    event.listen(connection, "commit", at_commit)
    try:
        command.upgrade(config, revision)
    finally:
        event.remove(connection, "commit", at_commit)
    now = {tuple(row) for row in connection.execute(text(DEMANDING))} - demanded
    connection.commit()
    found += [
        f"demands {column} of {before[oid][0]}, which the release before does not give"
        for oid, column in now
        if oid in before
    ]
    return dict.fromkeys(found)


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        for fault in faults(read(MigrationSettings), sys.argv[1], "".join(sys.argv[2:])):
            print(fault)
