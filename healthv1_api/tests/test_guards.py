"""Requests of any shape get a clear answer: too large, too slow, broken, from elsewhere, or SQL all over."""

import json
import socket
import time

import pytest
from running.clinic import somebody
from running.daemon import LOOPBACK

SQL = "'; DROP TABLE health.patients; -- \" OR 1=1 %s %(x)s \\"
APP = "https://app.example.org"


def preflight(clinic, origin):
    return clinic.service.request("/v1/patients", "OPTIONS", origin=origin, access_control_request_method="PATCH")


def test_exactly_the_configured_origins_may_ask(clinic):
    for origin in (APP, "https://admin.example.org"):
        answer = preflight(clinic, origin)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (204, origin)
        assert "PATCH" in answer.headers["access-control-allow-methods"]
        assert clinic.service.request("/health", origin=origin).headers["access-control-allow-origin"] == origin
    for origin in ("https://evil.example.org", f"{APP}.evil.org", "http://app.example.org", "null"):
        answer = preflight(clinic, origin)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (403, None)
        assert clinic.service.request("/health", origin=origin).headers["access-control-allow-origin"] is None


def test_no_cache_mixes_answers_for_different_origins(clinic):
    for headers in ({}, {"origin": APP}, {"origin": "https://evil.example.org"}):
        for path in ("/health", "/v1/patients", "/no/such"):
            answer = clinic.service.request(path, **headers)
            assert answer.headers["vary"] == "Origin"
            assert answer.headers["cache-control"] == "no-store"


def _raw(clinic, head, chunk, count):
    """Send until the service answers; return the first line of the answer, and how many bytes it took."""
    with socket.create_connection((LOOPBACK, clinic.service.port), timeout=10) as connection:
        bearer = clinic.clinician.tokens["access_token"]
        first = f"POST /v1/patients HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bearer}\r\n{head}\r\n\r\n"
        connection.sendall(first.encode())
        sent = 0
        try:
            for _ in range(count):
                connection.sendall(chunk)
                sent += len(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            return connection.recv(1000).partition(b"\r\n")[0].decode(), sent
        except ConnectionResetError:
            return "reset", sent


MEGABYTE = b"a" * 2**20


def test_a_large_body_is_refused_before_it_is_read(clinic):
    line, _ = _raw(clinic, "Content-Type: application/json\r\nContent-Length: 104857600", MEGABYTE, 0)
    assert line == "HTTP/1.1 413 Request Entity Too Large" or line.startswith("HTTP/1.1 413")


def test_a_large_body_that_does_not_say_so_is_refused_at_the_limit(clinic):
    chunk = b"100000\r\n" + MEGABYTE + b"\r\n"
    line, _ = _raw(clinic, "Content-Type: application/json\r\nTransfer-Encoding: chunked", chunk, 11)
    assert line.startswith("HTTP/1.1 413")
    line, sent = _raw(clinic, "Content-Type: application/json\r\nTransfer-Encoding: chunked", chunk, 100)
    assert line == "reset" or line.startswith("HTTP/1.1 413")
    assert sent < 40 * 2**20
    assert clinic.service.request("/health").status == 200


def test_just_under_the_limit_is_read(clinic):
    body = json.dumps({**somebody(), "notes": "a" * (10 * 2**20 - 1000)}).encode()
    assert clinic.clinician.ask("POST", "/v1/patients", body).status == 422


@pytest.mark.parametrize(
    "body",
    [b"{", b"", b"\xff\xfe", b"[" * 100_000, b'"text"', b"null", b"NaN", b'{"identifier": "\\ud800"}', b"1" * 5000],
)
def test_a_broken_body_is_the_senders_fault(clinic, body):
    answer = clinic.clinician.ask("POST", "/v1/patients", body)
    assert answer.status in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"


def test_sql_in_every_field_is_text(clinic):
    wanted = {**somebody(), **dict.fromkeys(("identifier", "given_name", "family_name", "notes"), SQL)}
    made = clinic.clinician.ask("POST", "/v1/patients", wanted)
    assert {name: made.document[name] for name in wanted} == wanted
    assert clinic.clinician.ask("GET", made.headers["location"]).document["notes"] == SQL
    found = clinic.clinician.ask("POST", "/v1/patients/search", {"identifier": SQL})
    assert found.document["patients"] == [made.document]
    order = {"patient_id": made.document["id"], "details": SQL}
    assert clinic.clinician.ask("POST", "/v1/queues/worklist", order).document["details"] == SQL
    assert clinic.login(SQL, SQL).status == 422
    assert clinic.login("admin", SQL).status == 401
    assert clinic.service.request("/v1/auth/refresh", "POST", body={"refresh_token": SQL}).status == 401
    for text in ("\0", "a\0b", "\u2028"):
        stored = clinic.clinician.new_patient(notes=text)
        assert (stored.status, stored.document["notes"]) == (201, text)
    assert clinic.database.sql("SELECT count(*) > 0 FROM health.patients") == "t"


def test_features_are_told_to_an_admin(clinic):
    assert clinic.admin.ask("GET", "/v1/features").document == {
        "pacs_integration": False,
        "hl7_integration": False,
        "fhir_api": False,
        "mail": False,
        "error_reports": False,
    }


def test_an_endless_request_is_cancelled(command, environment, migrated, tmp_path):
    from pathlib import Path

    from running.service import Service

    program = [command.parent / "python", Path(__file__).parent / "running" / "faulty.py"]
    service = Service(program, {**environment, "LONGEST": "1"}, tmp_path).start()
    try:
        before = time.monotonic()
        answer = service.request("/slow", x_request_id="0123456789abcdef0123456789abcdef")
        assert (answer.status, answer.document["detail"]) == (503, "This took too long.")
        assert time.monotonic() - before < 4
        assert "longer than" in service.lines_of("0123456789abcdef0123456789abcdef", 2)[0]["message"]
        sleeping = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE query LIKE '%pg_sleep(60)%' AND state = 'active' AND pid <> pg_backend_pid()"
        )
        for _ in range(50):
            if migrated.sql(sleeping) == "0":
                break
        assert migrated.sql(sleeping) == "0"
        assert service.becomes(200).status == 200
    finally:
        service.stop()
