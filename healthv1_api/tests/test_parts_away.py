"""When a part is gone, requests say which; when it is back, they go on, and nobody had to do anything."""

import threading
import time

import pytest
from running.clinic import Clinic

PASSWORDS = {"INITIAL_ADMIN_PASSWORD": "first-admin-password", "VERIFICATION_PASSWORD": "first-verification"}


@pytest.fixture
def used(migrated, run, serving):
    def used(**changes):
        run("seed", **PASSWORDS)
        service = serving(**changes)
        service.becomes(200)
        clinic = Clinic(service, migrated, PASSWORDS)
        clinic.path = clinic.verifier.new_patient().headers["location"]
        return clinic

    return used


def _fails_then_mends(clinic, part, server, start):
    server.stop()
    time.sleep(1.1)  # for a second, a session that goes on is taken at its word
    try:
        failed = clinic.verifier.ask("GET", clinic.path, x_request_id="0123456789abcdef0123456789abcdef")
    finally:
        start()
    assert (failed.status, failed.headers["retry-after"]) == (503, "5")
    assert failed.document["detail"] == f"The {part} cannot serve this now."
    lines = clinic.service.lines_of("0123456789abcdef0123456789abcdef", 2)
    assert any(line["message"].startswith(f"{part} does not serve a request") for line in lines)
    metrics = clinic.service.request("/metrics", port=clinic.service.metrics_port).text
    assert f'healthv1_faults_total{{part="{part}"}} 1.0' in metrics


def _goes_on(ask):
    deadline = time.monotonic() + 10
    while (answer := ask()).status == 503 and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer.status


def test_redis_gone_and_back(used, redis_server):
    clinic, server = used(), redis_server[0]
    _fails_then_mends(clinic, "redis", server, server.start)
    # This Redis keeps nothing: its sessions are over, as after an eviction.
    assert _goes_on(lambda: clinic.verifier.ask("GET", clinic.path)) == 401
    clinic.verifier.tokens = clinic.login("verification", PASSWORDS["VERIFICATION_PASSWORD"]).document
    assert clinic.verifier.ask("GET", clinic.path).status == 200


def test_postgresql_gone_and_back(used, cluster):
    clinic = used()
    _fails_then_mends(clinic, "database", cluster.postgresql, cluster.start)
    assert _goes_on(lambda: clinic.verifier.ask("GET", clinic.path)) == 200


def test_an_exhausted_pool_is_told_and_over_when_a_connection_is_free(used):
    clinic = used(DATABASE_MAX_CONNECTIONS="1", DATABASE_MIN_CONNECTIONS="1")
    holder = clinic.database.session("LOCK TABLE health.patients")
    answers = []

    def ask():
        answers.append(clinic.verifier.ask("GET", clinic.path).status)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    while not answers:
        time.sleep(0.05)
    assert answers[0] == 503
    holder.communicate("ROLLBACK;")
    for thread in threads:
        thread.join()
    assert answers == [503, 503]
    assert clinic.verifier.ask("GET", clinic.path).status == 200
