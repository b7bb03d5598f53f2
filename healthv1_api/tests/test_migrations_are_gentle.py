"""While a migration runs and after it, the release before goes on: its statements work, and no table is held for long.

`statements/REVISION.json` holds the statements of the release whose head that revision is.
"""

import json
import re
import subprocess
from pathlib import Path

import pytest
from running.cluster import APPLICATION

RUNNING = Path(__file__).parent / "running"
RECORDED = {
    file.stem: json.loads(file.read_text()) for file in sorted((Path(__file__).parent / "statements").glob("*.json"))
}
REVISION = """
from alembic import op
import sqlalchemy as sa
revision, down_revision = "9001", "{head}"
def upgrade():
    {what}
def downgrade(): pass
"""
HEAD = max(RECORDED)
GENTLE = [
    'op.add_column("patients", sa.Column("more", sa.Text()), schema="health")',
    'op.add_column("users", sa.Column("more", sa.Integer(), server_default="7", nullable=False), schema="health")',
    'op.execute("ALTER TABLE health.patients ADD CHECK (version > 0) NOT VALID")',
    'op.create_table("more", sa.Column("id", sa.Integer(), primary_key=True), schema="health")',
    """with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY more ON health.patients (created_at)")""",
]
HURTS = {
    'op.drop_column("users", "active", schema="health")': "no longer works",
    'op.alter_column("patients", "notes", new_column_name="remarks", schema="health")': "no longer works",
    'op.rename_table("worklist", "tasks", schema="health")': "no longer works",
    'op.execute("REVOKE INSERT ON health.audit_events FROM PUBLIC, health_app")': "no longer works",
    'op.create_index("more", "patients", ["created_at"], schema="health")': "reads all of patients",
    "op.execute(\"ALTER TABLE health.users ADD CHECK (username <> '')\")": "reads all of users",
    'op.alter_column("users", "created_at", nullable=True, schema="health"); '
    'op.alter_column("users", "created_at", nullable=False, schema="health")': "reads all of users",
    'op.alter_column("patients", "version", type_=sa.BigInteger(), schema="health")': "writes all of patients anew",
    'op.execute("ALTER TABLE health.users ADD more uuid DEFAULT gen_random_uuid()")': "writes all of users anew",
    'op.add_column("users", sa.Column("more", sa.Text(), nullable=False), schema="health")': "demands more of users",
}


@pytest.fixture
def by_the_service(command, environment):
    def by_the_service(script, *arguments):
        argv = [command.parent / "python", RUNNING / script, *arguments]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return by_the_service


def _broken(database, statements):
    """Plan each as the application role: the names, types and rights that it needs are still there. The first fault."""
    try:
        database.sql("; ".join(map(_planned, statements, statements.values())), role=APPLICATION)
    except RuntimeError as error:
        return [f"a statement no longer works: {error}"]
    return []


def _planned(name, statement):
    numbers, name = {}, name.replace(" ", "_")

    def numbered(found):
        return f"${numbers.setdefault(found[1] or found.start(), len(numbers) + 1)}"

    text = re.sub(r"%\((\w+)\)s|%s", numbered, statement)
    given = f"({', '.join(['NULL'] * len(numbers))})" if numbers else ""
    return f"PREPARE {name} AS {text}; EXPLAIN EXECUTE {name} {given}"


def test_what_this_release_says_to_the_database_is_recorded(by_the_service):
    """When it fails: python tests/running/statements.py, by the service's Python, into statements/HEAD.json."""
    assert json.loads(by_the_service("statements.py")) == RECORDED[HEAD]


def test_this_releases_migrations_are_gentle_with_the_one_before(by_the_service, database):
    *_, before, _ = RECORDED
    assert by_the_service("guard.py", before) == ""
    assert _broken(database, RECORDED[before]) == []
    assert _broken(database, RECORDED[HEAD]) == []


def _told(by_the_service, database, tmp_path, what):
    (tmp_path / "r9001.py").write_text(REVISION.format(head=HEAD, what=what))
    return [*by_the_service("guard.py", HEAD, tmp_path).splitlines(), *_broken(database, RECORDED[HEAD])]


@pytest.mark.parametrize("what", GENTLE)
def test_a_gentle_migration_passes(by_the_service, migrated, tmp_path, what):
    assert _told(by_the_service, migrated, tmp_path, what) == []


@pytest.mark.parametrize(("what", "words"), HURTS.items())
def test_a_migration_that_hurts_is_refused(by_the_service, migrated, tmp_path, what, words):
    assert words in "\n".join(_told(by_the_service, migrated, tmp_path, what))
