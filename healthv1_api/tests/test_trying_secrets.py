"""`secrets check` says of each variable whether what it opens accepts it, by trying, and tells no value."""

import json
import secrets
import socket
import subprocess
import time
from urllib.parse import quote

import pytest
from running.daemon import LOOPBACK, free_port
from running.database import make_database
from running.environment import master_key, variables
from running.service import Service

TRIED = (
    "DATABASE_URL",
    "MIGRATION_DATABASE_URL",
    "REDIS_URL",
    "JWT_SECRET",
    "SESSION_SECRET",
    "MASTER_KEY",
    "VERIFICATION_PASSWORD",
)
REFUSED = "the password or the user is refused"


@pytest.fixture
def checked(command):
    """Return the exit code and what is told of these variables; the environment has only what is said."""

    def checked(given, **environment):
        text = given if isinstance(given, str) else json.dumps(given)
        argv = [command, "secrets", "check"]
        done = subprocess.run(argv, env=environment, input=text, capture_output=True, text=True, check=False)
        checked.output = done.stdout + done.stderr
        return done.returncode, json.loads(done.stdout or "null")

    return checked


@pytest.fixture(scope="module")
def deployed(cluster, command, migrated_once, redis_server, tmp_path_factory):
    """The variables of a deployment whose keys are stored."""
    database = make_database(cluster)
    database.become_a_copy_of(migrated_once)
    environment = {**variables(database, redis_server[1]), "VERIFICATION_PASSWORD": secrets.token_urlsafe(16)}
    subprocess.run([command, "seed"], env=environment, check=True)
    Service([command], environment, tmp_path_factory.mktemp("deployed")).start().stop()
    return {name: environment[name] for name in TRIED}


def with_password(url, password):
    before, _, after = url.partition("@")
    return f"{before.rpartition(':')[0]}:{quote(password, safe='')}@{after}"


def test_what_is_deployed_is_accepted(deployed, checked):
    other = {"JWT_SECRET_ALSO_ACCEPTED": "a" * 32, "MASTER_KEY_ALSO_ACCEPTED": master_key()}
    rest = {"SESSION_SECRET_ALSO_ACCEPTED": "", "RUST_LOG": "info", "API_SERVICE_PORT": "8080", "SMTP_HOST": ""}
    given = {**deployed, **other, **rest}
    assert checked(given) == (0, dict.fromkeys(given))


def test_each_that_is_not_accepted_is_told_and_no_value_is(deployed, checked):
    wrong = {
        "DATABASE_URL": with_password(deployed["DATABASE_URL"], "planted-password"),
        "MIGRATION_DATABASE_URL": with_password(deployed["MIGRATION_DATABASE_URL"], "planted-password"),
        "REDIS_URL": with_password(deployed["REDIS_URL"], "planted-password"),
        "JWT_SECRET": "planted-short",
        "SESSION_SECRET": "${planted}",
        "SESSION_SECRET_ALSO_ACCEPTED": "",
        "RUST_LOG": "planted-level",
        "SMTP_PASSWORD": 3,
        "PLANTED": "planted-stranger",
    }
    code, told = checked({**deployed, **wrong})
    assert code == 3
    assert told == {
        "DATABASE_URL": REFUSED,
        "MIGRATION_DATABASE_URL": REFUSED,
        "REDIS_URL": REFUSED,
        "JWT_SECRET": "Value should have at least 32 items after validation, not 13",
        "SESSION_SECRET": "holds ${...} that nothing expands: write the value itself",
        "SESSION_SECRET_ALSO_ACCEPTED": None,
        "MASTER_KEY": f"not tried: the database: {REFUSED}",
        "VERIFICATION_PASSWORD": f"not tried: the database: {REFUSED}",
        "RUST_LOG": "should be 'error', 'warn', 'info', 'debug' or 'trace'",
        "SMTP_PASSWORD": "must be text",
        "PLANTED": "is not a variable of this release",
    }
    assert "planted" not in checked.output


def test_what_is_stored_is_tried_through_whichever_database_lets_in(deployed, checked):
    wrong = {"MASTER_KEY": master_key(), "VERIFICATION_PASSWORD": "planted-password"}
    refused = {
        "MASTER_KEY": "does not open every key that the database holds",
        "VERIFICATION_PASSWORD": "is not the password of the user `verification`",
    }
    for given in ({}, {"DATABASE_URL": with_password(deployed["DATABASE_URL"], "planted-password")}):
        code, told = checked({**deployed, **given, **wrong})
        assert (code, {name: told[name] for name in wrong}) == (3, refused)
        assert all(value not in checked.output for value in wrong.values())
    # While it is replaced, each key is under one of the two.
    rotating = {"MASTER_KEY": wrong["MASTER_KEY"], "MASTER_KEY_ALSO_ACCEPTED": deployed["MASTER_KEY"]}
    assert checked({**deployed, **rotating})[0] == 0
    broken = {**rotating, "MASTER_KEY": "cGxhbnRlZA=="}
    told = checked({**deployed, **broken})[1]
    assert told["MASTER_KEY"] == "must be base64 of exactly 32 bytes"
    assert told["MASTER_KEY_ALSO_ACCEPTED"] is None


def test_the_environment_stands_in_for_nothing(deployed, cluster, checked):
    passwords = cluster.passwords
    environment = {**deployed, "PGPASSWORD": passwords["health_owner"]}
    given = {name: deployed[name] for name in ("MASTER_KEY", "VERIFICATION_PASSWORD")}
    lacking = "not tried: neither DATABASE_URL nor MIGRATION_DATABASE_URL is given"
    assert checked(given, **environment) == (3, dict.fromkeys(given, lacking))
    bare = f"postgresql://health_owner@{LOOPBACK}:{cluster.postgresql.port}/postgres"
    assert checked({"MIGRATION_DATABASE_URL": bare}, **environment)[1] == {
        "MIGRATION_DATABASE_URL": "holds no password"
    }
    elsewhere = {"PGPORT": str(cluster.postgresql.port), "PGHOST": LOOPBACK}
    missing = f"postgresql://health_owner:{quote(passwords['health_owner'], safe='')}@/postgres"
    assert checked({"MIGRATION_DATABASE_URL": missing}, **environment, **elsewhere)[0] == 3
    assert checked({"JWT_SECRET": ""}, **environment)[1] == {"JWT_SECRET": "is missing"}


def test_silence_is_told_in_a_few_seconds_and_all_else_is_tried(deployed, checked):
    with socket.socket() as silent:
        silent.bind((LOOPBACK, 0))
        silent.listen()
        at = f"{LOOPBACK}:{silent.getsockname()[1]}"
        away = {
            "DATABASE_URL": f"postgresql://planted:planted@{at}/planted",
            "REDIS_URL": f"redis://planted:planted@{at}/0",
        }
        before = time.monotonic()
        code, told = checked({**deployed, **away})
    assert time.monotonic() - before < 20  # more than a few seconds: of a busy machine
    assert (code, {name for name, reason in told.items() if reason}) == (3, {*away})
    assert {told[name] for name in away} == {"no answer in time"}
    assert "planted" not in checked.output


def test_nothing_there_and_nothing_migrated_are_told(database, environment, checked):
    nowhere = f"{LOOPBACK}:{free_port()}"
    url = environment["REDIS_URL"]
    away = {
        "MIGRATION_DATABASE_URL": f"postgresql://planted:planted@{nowhere}/planted",
        "REDIS_URL": f"{url.partition('@')[0]}@{nowhere}/0",
    }
    given = {name: environment[name] for name in ("DATABASE_URL", "MASTER_KEY")}
    assert checked({**given, **away})[1] == {
        "DATABASE_URL": None,
        "MASTER_KEY": "not tried: the database is not migrated",
        "MIGRATION_DATABASE_URL": "nothing listens there",
        "REDIS_URL": "does not answer",
    }


def test_what_is_no_object_is_refused(checked):
    for text in ("", '["planted"]'):
        assert checked(text) == (78, None)
        assert checked.output.startswith("Error: stdin: is not one JSON object.")
        assert "planted" not in checked.output
