"""Real servers for the run, a database per test, and the service started and stopped around it."""

import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from running.cache import make_redis
from running.clinic import IDLE, ORIGINS, Clinic
from running.cluster import make_cluster
from running.database import make_database, make_roles
from running.environment import variables
from running.installed import installed_command
from running.service import Service


@pytest.fixture(scope="session")
def command():
    return installed_command()


@pytest.fixture(scope="session")
def servers_directory():
    # Not under pytest's own directory: the servers' account may not enter that.
    directory = Path(tempfile.mkdtemp(prefix="healthv1-api-"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def cluster(servers_directory):
    cluster = make_cluster(servers_directory)
    try:
        cluster.start()
        make_roles(cluster)
        cluster.pgbouncer.start()
        yield cluster
    finally:
        cluster.pgbouncer.stop()
        cluster.postgresql.stop()


@pytest.fixture(scope="session")
def redis_server(servers_directory):
    server, url = make_redis(servers_directory)
    try:
        server.start()
        yield server, url
    finally:
        server.stop()


@pytest.fixture
def database(cluster):
    return make_database(cluster)


@pytest.fixture
def environment(database, redis_server):
    return variables(database, redis_server[1])


@pytest.fixture
def run(command, environment):
    def run(*arguments, stdin="", **changes):
        argv, env = [command, *arguments], {**environment, **changes}
        return subprocess.run(argv, env=env, input=stdin, capture_output=True, text=True, check=False, timeout=20)

    return run


@pytest.fixture(scope="session")
def migrated_once(cluster, command):
    database = make_database(cluster)
    env = {"DATABASE_URL": database.pooled_url, "MIGRATION_DATABASE_URL": database.owner_url}
    subprocess.run([command, "migrate", "run"], env=env, check=True)
    return database


@pytest.fixture
def migrated(database, migrated_once):
    database.become_a_copy_of(migrated_once)
    return database


@pytest.fixture
def serving(command, environment, tmp_path):
    """Start the service with changed variables; it is stopped after the test."""
    started = []

    def serving(**changes):
        directory = tmp_path / str(len(started))
        directory.mkdir()
        started.append(Service([command], {**environment, **changes}, directory))
        return started[-1].start()

    yield serving
    for service in started:
        service.stop()


@pytest.fixture
def service(serving):
    return serving()


@pytest.fixture
def clinic(open_clinic, redis_server):
    """One service for all tests that only ask, with an admin, a clinician and an auditor."""
    open_clinic.remember_sessions_of(redis_server[0].process.pid)
    return open_clinic


@pytest.fixture(scope="session")
def open_clinic(cluster, command, migrated_once, redis_server, tmp_path_factory):
    database = make_database(cluster)
    database.become_a_copy_of(migrated_once)
    env = {**variables(database, redis_server[1]), "ENVIRONMENT": "development", "CORS_ALLOWED_ORIGINS": ORIGINS}
    env["SESSION_TIMEOUT_MINUTES"] = str(IDLE)
    passwords = {name: secrets.token_urlsafe(24) for name in ("INITIAL_ADMIN_PASSWORD", "VERIFICATION_PASSWORD")}
    subprocess.run([command, "seed"], env={**env, **passwords}, check=True)
    service = Service([command], env, tmp_path_factory.mktemp("clinic"))
    try:
        service.start()
        service.becomes(200)
        yield Clinic(service, database, passwords)
    finally:
        service.stop()
