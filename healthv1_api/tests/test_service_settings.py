"""Wrong settings stop the start: every one named, all at once, none repeated."""

import pytest

WRONG = {
    "API_SERVICE_PORT": "99999",
    "CORS_ALLOWED_ORIGINS": "https://app.example.org,planted-origin",
    "DATABASE_MAX_CONNECTIONS": "planted-number",
    "DATABASE_URL": "mysql://user:planted-password@127.0.0.1/health",
    "DEK_ROTATION_DAYS": "0",
    "ENABLE_FHIR_API": "planted-flag",
    "ENVIRONMENT": "planted-environment",
    "JWT_SECRET": "planted-short",
    "MASTER_KEY": "cGxhbnRlZC1rZXk=",
    "PROMETHEUS_METRICS_PORT": "planted-port",
    "REDIS_URL": "http://:planted-password@127.0.0.1",
    "SESSION_SECRET": "${PLANTED_SECRET}",
}


@pytest.fixture
def refused(run):
    def refused(**changes):
        done = run("serve", **changes)
        assert done.returncode == 78
        assert done.stdout == ""
        *errors, hint = done.stderr.splitlines()
        assert hint.startswith("Hint:")
        return errors

    return refused


def test_every_wrong_variable_is_named_once_and_no_value_is_shown(refused):
    errors = refused(**WRONG)
    assert sorted(line.split(":")[1].strip() for line in errors) == sorted(WRONG)
    assert "planted" not in "\n".join(errors)


def test_every_missing_variable_is_named(refused):
    required = ["DATABASE_URL", "REDIS_URL", "JWT_SECRET", "SESSION_SECRET", "MASTER_KEY"]
    errors = refused(**dict.fromkeys(required, ""))
    assert errors == [f"Error: {name}: is missing." for name in required]


def test_variables_that_contradict_each_other_are_named(refused):
    port, level, pool = refused(RUST_LOG="loud", DATABASE_MIN_CONNECTIONS="21", API_SERVICE_PORT="9190")
    assert port.startswith("Error: PROMETHEUS_METRICS_PORT: must differ from API_SERVICE_PORT")
    assert level.startswith("Error: LOG_LEVEL (or RUST_LOG): should be 'error', 'warn'")
    assert pool == "Error: DATABASE_MIN_CONNECTIONS: must not exceed DATABASE_MAX_CONNECTIONS."


def test_a_master_key_is_exactly_32_bytes(refused):
    for key in ("c2hvcnQ=", "A" * 43 + "\n", "A" * 86 + "=="):
        assert refused(MASTER_KEY=key) == ["Error: MASTER_KEY: must be base64 of exactly 32 bytes."]


@pytest.fixture
def told(run, environment, tmp_path):
    """Run with everything in a file as systemd's LoadCredential= gives it, and nothing in the environment."""

    def told(text, *arguments):
        (tmp_path / "env").write_text(text)
        return run(*arguments, **dict.fromkeys(environment, ""), CREDENTIALS_DIRECTORY=str(tmp_path))

    return told


def test_variables_come_from_a_file_as_well_so_that_none_stands_in_the_environment(told, environment):
    text = "".join(f"{name}='{value}'\n" for name, value in environment.items())
    done = told(f"# as deployed\nSMTP_FROM=\n{text}", "migrate", "run")
    assert done.returncode == 0, done.stderr
    assert "applied" in done.stdout


def test_a_line_that_is_no_variable_is_named_by_its_number_alone(told):
    done = told("SMTP_FROM=a\nplanted value\n", "serve")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("Error: env:2: is no variable.\nHint:")
    assert "planted" not in done.stderr


def test_a_migration_needs_an_owner_of_its_own(run, environment):
    done = run("migrate", "run", MIGRATION_DATABASE_URL=environment["DATABASE_URL"])
    assert done.returncode == 78
    assert "MIGRATION_DATABASE_URL: must name another role" in done.stderr


def test_the_guides_values_are_accepted(migrated, serving):
    guide = {
        "RUST_LOG": "info",
        "ENVIRONMENT": "production",
        "CORS_ALLOWED_ORIGINS": "https://app.example.org,https://admin.example.org",
        "DATABASE_MAX_CONNECTIONS": "100",
        "DATABASE_MIN_CONNECTIONS": "10",
        "SENTRY_DSN": "",
        "ENABLE_PACS_INTEGRATION": "true",
    }
    assert serving(**guide).becomes(200).status == 200
