"""The schema goes up, down and up again with data in it, one process at a time, and is granted narrowly."""

import json
import subprocess

import pytest
from running.clinic import Clinic
from running.cluster import APPLICATION, OWNER

REVISIONS = ["0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008"]
PASSWORDS = {"INITIAL_ADMIN_PASSWORD": "first-admin-password", "VERIFICATION_PASSWORD": "first-verification"}
HEAD = REVISIONS[-1]
APPLIED = "".join(f"applied {revision}\n" for revision in REVISIONS)


def test_info_says_what_is_pending_before_and_nothing_after(run):
    before = json.loads(run("migrate", "info", "--json").stdout)
    assert before == {"current": None, "head": HEAD, "pending": REVISIONS, "state": "behind"}
    assert run("migrate", "info", "--check").returncode == 3
    assert run("migrate", "run").stdout == APPLIED
    assert run("migrate", "info", "--check").returncode == 0
    assert "pending: none" in run("migrate", "info").stdout
    assert run("migrate", "run").stdout == f"nothing to do: at {HEAD}\n"


def test_the_moment_before_the_first_migration_gets_a_name_where_the_role_may(run, database, cluster):
    assert run("migrate", "run", "--restore-point", "before-it").stdout == APPLIED  # nobody let it
    run("migrate", "revert")
    functions = "pg_create_restore_point(text), pg_switch_wal()"
    cluster.sql(database.name, f"GRANT EXECUTE ON FUNCTION {functions} TO {OWNER}")
    told = run("migrate", "run", "--restore-point", "before-it").stdout
    assert told == f"made the restore point before-it\napplied {HEAD}\n"
    assert run("migrate", "run", "--restore-point", "before-it").stdout == f"nothing to do: at {HEAD}\n"


def test_up_down_and_up_again_with_data(run, migrated, serving):
    assert run("seed", **PASSWORDS).stdout == "added 7 rows\n"
    assert run("seed", **PASSWORDS).stdout == "nothing to do: every row is there\n"
    person = Clinic(serving(), migrated, PASSWORDS).verifier
    patient = person.new_patient().document["id"]
    assert person.ask("POST", "/v1/queues/worklist", {"patient_id": patient, "details": "x"}).status == 201
    for revision in reversed(REVISIONS):
        assert run("migrate", "revert").stdout == f"reverted {revision}\n"
    assert migrated.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'health'") == "1"
    assert migrated.sql("SELECT count(*) FROM pg_default_acl") == "0"
    assert run("migrate", "revert").stdout == "nothing to do: no migration is applied\n"
    assert run("migrate", "run").stdout == APPLIED
    assert run("seed", **PASSWORDS).stdout == "added 7 rows\n"


def test_two_runs_at_once_both_succeed_and_one_works(command, environment, database):
    argv = [command, "migrate", "run"]
    both = [subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = sorted(process.communicate(timeout=20)[0] for process in both)
    assert told == [APPLIED, f"nothing to do: at {HEAD}\n"]
    assert [process.returncode for process in both] == [0, 0]


def test_the_application_role_reads_and_nothing_else(run, migrated):
    run("seed")
    assert migrated.sql("SELECT count(*) FROM health.roles", role=APPLICATION) == "3"
    assert migrated.sql("SELECT version_num FROM health.alembic_version", role=APPLICATION) == HEAD
    for statement in (
        "DELETE FROM health.roles",
        "UPDATE health.alembic_version SET version_num = 'x'",
        "CREATE TABLE health.mine ()",
    ):
        with pytest.raises(RuntimeError, match="permission denied"):
            migrated.sql(statement, role=APPLICATION)


def test_a_database_of_a_later_release_is_left_alone(run, migrated):
    migrated.sql("UPDATE health.alembic_version SET version_num = '9999'")
    refused = run("migrate", "run")
    assert refused.returncode == 1
    assert "is at 9999, which this release does not know" in refused.stderr
    assert json.loads(run("migrate", "info", "--json").stdout)["state"] == "ahead"


def test_a_held_lock_ends_the_run_with_a_hint(run, migrated):
    holder = migrated.session("LOCK TABLE health.password_resets")
    refused = run("migrate", "revert")
    holder.communicate("ROLLBACK;")
    assert refused.returncode == 1
    assert "lock timeout" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert migrated.sql("SELECT count(*) FROM health.roles") == "0"


def test_an_unreachable_database_is_one_error_without_the_password(run, cluster, environment):
    wrong = environment["MIGRATION_DATABASE_URL"].replace(f":{cluster.postgresql.port}/", ":1/")
    refused = run("migrate", "info", MIGRATION_DATABASE_URL=wrong)
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: MIGRATION_DATABASE_URL: ")
    assert "Traceback" not in refused.stderr
    assert not any(password in refused.stderr for password in cluster.passwords.values())


def test_seed_before_migrate_names_the_next_command(run):
    refused = run("seed")
    assert refused.returncode == 1
    assert "`healthv1-api migrate run` first" in refused.stderr


def test_rights_are_granted_to_the_role_that_is_named(run, database):
    database.sql("CREATE ROLE rights_of_the_service")
    assert run("migrate", "run", APPLICATION_ROLE="rights_of_the_service").stdout == APPLIED
    for role, granted in (("rights_of_the_service", "t"), (APPLICATION, "f")):
        assert database.sql(f"SELECT has_schema_privilege('{role}', 'health', 'usage')") == granted
    while "reverted" in run("migrate", "revert", APPLICATION_ROLE="rights_of_the_service").stdout:
        pass
    database.sql("DROP ROLE rights_of_the_service")
