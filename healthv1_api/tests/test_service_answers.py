"""Answers, logs and metrics tell an operator what happened and repeat nothing that a client sent."""

import secrets
from pathlib import Path

import pytest
from running.service import Service


@pytest.fixture
def faulty(command, environment, tmp_path):
    """The real service with a route that fails and one that validates."""
    program = [command.parent / "python", Path(__file__).parent / "running" / "faulty.py"]
    service = Service(program, environment, tmp_path)
    yield service.start()
    service.stop()


def test_errors_are_problem_documents(service):
    for method, path, status in (("GET", "/no/such", 404), ("POST", "/health", 405)):
        answer = service.request(path, method)
        assert answer.status == answer.document["status"] == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert "server" not in answer.headers
    assert answer.headers["allow"] == "GET"


def test_nothing_else_is_public(service):
    for path in ("/", "/openapi.json", "/docs", "/redoc", "/metrics"):
        assert service.request(path).status == 404


def test_a_developer_reads_the_description(serving):
    assert serving(ENVIRONMENT="development").request("/openapi.json").document["info"]["title"] == "Health V1"


def test_what_a_client_sent_is_in_no_answer_log_or_metric(faulty):
    canary = secrets.token_hex(8)
    failed = faulty.request(f"/patients/{canary}/explode?ssn={canary}")
    assert (failed.status, failed.document["title"]) == (500, "Internal Server Error")
    invalid = faulty.request(f"/patients/{canary}?age={canary}", x_request_id=f"{canary}\u00e9")
    assert (invalid.status, invalid.document["errors"][0]["loc"]) == (422, ["query", "age"])
    faulty.request(f"/{canary}", canary)
    metrics = faulty.request("/metrics", port=faulty.metrics_port).text
    assert canary not in failed.text + invalid.text + metrics + faulty.output
    assert 'route="/patients/{name}/explode",status="500"} 1.0' in metrics


def test_a_failure_is_logged_by_type_and_place_with_its_request(faulty):
    answer = faulty.request("/patients/x/explode", x_request_id="0123456789abcdef0123456789abcdef")
    assert answer.headers["x-request-id"] == "0123456789abcdef0123456789abcdef"
    failure, record = faulty.lines_of("0123456789abcdef0123456789abcdef", 2)
    assert failure["exception"]["type"] == "ValueError"
    assert failure["exception"]["at"][-1].endswith(" explode")
    assert (record["method"], record["route"], record["status"]) == ("GET", "/patients/{name}/explode", 500)


def test_metrics_count_by_route_and_show_the_pool(migrated, service):
    service.becomes(200)
    service.becomes(200)  # the first one is counted by now: that happens after its answer
    text = service.request("/metrics", port=service.metrics_port).text
    for sample in (
        'healthv1_http_requests_total{method="GET",route="/health/ready",status="200"}',
        'healthv1_http_request_duration_seconds_bucket{le="0.005",method="GET",route="/health/ready"}',
        'healthv1_database_pool_connections{state="idle"}',
        "healthv1_database_pool_max 20.0",
        "healthv1_build_info{",
        "process_resident_memory_bytes",
    ):
        assert sample in text


def test_no_secret_is_in_any_output(migrated, cluster, environment, service, run):
    service.becomes(200)
    run("migrate", "revert", LOG_LEVEL="debug")
    service.becomes(503)
    outputs = service.output + service.request("/metrics", port=service.metrics_port).text
    planted = [value for name, value in environment.items() if name.endswith(("_SECRET", "_KEY", "_PASSWORD"))]
    urls = [value for name, value in environment.items() if name.endswith("_URL")]
    for secret in [*planted, *urls, *cluster.passwords.values()]:
        assert secret not in outputs
