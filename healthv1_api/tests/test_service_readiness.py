"""Ready is the truth about the database, the migrations and Redis, within two seconds, and mends itself."""

import time

import pytest


@pytest.fixture
def away():
    """Stop a server for a test; it is back for the next one."""
    stopped = []

    def away(server):
        server.stop()
        stopped.append(server)

    yield away
    for server in stopped:
        if server.process.poll() is not None:
            server.start()


def test_postgresql_away_and_back(migrated, cluster, service, away):
    service.becomes(200)
    away(cluster.postgresql)
    answer = service.becomes(503)
    assert answer.document == {"status": "unavailable", "failing": ["database"]}
    assert service.request("/health").document == {"status": "ok"}
    cluster.start()
    assert service.becomes(200).status == 200


def test_the_pooler_away_and_back(migrated, cluster, service, away):
    service.becomes(200)
    away(cluster.pgbouncer)
    assert service.becomes(503).document["failing"] == ["database"]
    cluster.pgbouncer.start()
    assert service.becomes(200).status == 200


def test_redis_away_and_back(migrated, redis_server, service, away):
    service.becomes(200)
    away(redis_server[0])
    assert service.becomes(503).document == {"status": "unavailable", "failing": ["redis"]}
    redis_server[0].start()
    assert service.becomes(200).status == 200


def test_everything_away_at_the_start(migrated, cluster, redis_server, away, serving):
    away(cluster.postgresql)
    away(redis_server[0])
    service = serving()
    assert service.becomes(503).document["failing"] == ["database", "redis"]
    redis_server[0].start()
    cluster.start()
    assert service.becomes(200).status == 200


def test_migrations_missing_then_behind_then_at_head(database, run, service):
    assert service.request("/health/ready").document["failing"] == ["migrations"]
    run("migrate", "run")
    assert service.becomes(200).status == 200
    run("migrate", "revert")
    assert service.becomes(503).document["failing"] == ["migrations"]


def test_a_later_release_has_migrated_and_this_one_still_serves(migrated, service):
    migrated.sql("UPDATE health.alembic_version SET version_num = '9999'")
    assert service.becomes(200).status == 200


def test_a_stuck_database_is_told_within_two_seconds_and_costs_one_connection(migrated, service):
    service.becomes(200)
    holder = migrated.session("LOCK TABLE health.alembic_version")
    for _ in range(2):
        before = time.monotonic()
        assert service.request("/health/ready").document["failing"] == ["database"]
        assert time.monotonic() - before < 2
    assert migrated.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") in {"0", "1"}
    holder.communicate("ROLLBACK;")
    assert service.becomes(200).status == 200


def test_two_instances_share_the_poolers_connections(migrated, serving):
    # A statement prepared by one instance would be in the way of the other: psycopg prepares at the sixth use.
    instances = [serving(DATABASE_MIN_CONNECTIONS="1"), serving(DATABASE_MIN_CONNECTIONS="1")]
    for instance in instances:
        assert instance.becomes(200).document == {"status": "ready"}
    for instance in instances * 12:
        assert instance.request("/health/ready").status == 200
