"""What is known of a patient reaches no log, metric, report or database log, whatever goes wrong on the way."""

import secrets
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from running.clinic import Clinic, somebody
from running.sentry import Ingest
from running.service import Service

PASSWORDS = {"INITIAL_ADMIN_PASSWORD": "first-admin-password", "VERIFICATION_PASSWORD": "first-verification"}
LEAKS = ["exceptions in logs", "routes", "validation errors", "error reports"]


@pytest.fixture
def ingest():
    ingest = Ingest()
    yield ingest
    ingest.close()


@pytest.fixture
def faulty(command, environment, migrated, run, ingest, tmp_path):
    """Start the service with faulty routes, and without a redaction when one is named."""
    run("seed", **PASSWORDS)
    # The worst that an administrator could do: every statement with its parameters.
    migrated.sql(f"ALTER DATABASE {migrated.name} SET log_min_duration_statement = 0")
    started = []

    def faulty(leak=""):
        program = [command.parent / "python", Path(__file__).parent / "running" / "faulty.py"]
        service = Service(
            program, {**environment, "SENTRY_DSN": ingest.dsn, "LEAK": leak, "LOG_LEVEL": "trace"}, tmp_path
        )
        started.append(service.start())
        service.becomes(200)
        return Clinic(service, migrated, PASSWORDS)

    yield faulty
    for service in started:
        service.stop()


def _walk(clinic, canary):
    """Everything that a client can do with a patient, and everything that can go wrong; return the error answers."""
    person = clinic.verifier
    patient = {**somebody(), "identifier": canary, "family_name": canary, "notes": canary}
    row = person.ask("POST", "/v1/patients", patient).document["id"]
    read = person.ask("GET", f"/v1/patients/{row}")
    assert canary in read.text
    assert canary in person.ask("GET", "/v1/patients").text
    assert canary in person.ask("POST", "/v1/patients/search", {"identifier": canary}).text
    person.ask("POST", "/v1/queues/worklist", {"patient_id": row, "details": canary})
    assert canary in person.ask("POST", "/v1/queues/worklist/claim").text
    errors = [
        person.ask("POST", "/v1/patients", patient),  # a constraint
        person.ask("POST", "/v1/patients", {**patient, "birth_date": canary}),
        person.ask("POST", "/v1/patients", {**patient, canary: canary}),
        person.ask("POST", "/v1/patients", f'{{"{canary}": '.encode()),
        person.ask("GET", f"/v1/patients/{canary}?q={canary}"),
        person.ask("GET", f"/patients/{quote(canary)}/explode?ssn={canary}"),
        person.ask("POST", "/patients/explode", patient),
        person.ask("GET", f"/patients/{canary}?age={canary}"),
    ]
    assert [answer.status for answer in errors] == [409, 422, 422, 422, 422, 500, 500, 422]
    clinic.database.sql(f"UPDATE health.patients SET notes = family_name WHERE id = '{row}'")
    errors.append(person.ask("GET", f"/v1/patients/{row}"))
    assert errors[-1].status == 500
    return "".join(answer.text for answer in errors)


def _spilled(clinic, ingest, canary, answers):
    deadline = time.monotonic() + 10
    while len(ingest.received) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    cluster = clinic.database.cluster
    places = {
        "answers": answers,
        "logs": clinic.service.output,
        "metrics": clinic.service.request("/metrics", port=clinic.service.metrics_port).text,
        "reports": "".join(ingest.received),
        "database log": (cluster.directory / "postgresql.log").read_text(errors="replace"),
        "pooler log": (cluster.directory / "pgbouncer.log").read_text(errors="replace"),
        "redis log": (cluster.directory / "redis.log").read_text(errors="replace"),
    }
    assert len(ingest.received) == 3
    assert "duration: " in places["database log"]
    forms = (canary, canary.encode().hex())
    return {place for place, text in places.items() if any(form in text for form in forms)}


def test_a_canary_is_found_nowhere(faulty, ingest):
    clinic, canary = faulty(), f"canary{secrets.token_hex(8)}"
    assert _spilled(clinic, ingest, canary, _walk(clinic, canary)) == set()
    report = "".join(ingest.received)
    assert '"type":"ValueError"' in report
    assert "/patients/{name}/explode" in report


@pytest.mark.parametrize("leak", LEAKS)
def test_it_is_found_when_a_redaction_is_missing(faulty, ingest, leak):
    clinic, canary = faulty(leak), f"canary{secrets.token_hex(8)}"
    assert _spilled(clinic, ingest, canary, _walk(clinic, canary)) != set()
