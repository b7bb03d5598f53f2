"""Whatever is sent to what the description names: no server error, and no answer that it does not name."""

import re

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
QUICKLY = settings(
    max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="session")
def description(open_clinic):
    return schemathesis.openapi.from_url(f"http://127.0.0.1:{open_clinic.service.port}/openapi.json")


def test_every_operation_keeps_its_word(description, clinic):
    person = clinic.new("admin", "auditor", "clinician")
    person.patient = person.new_patient().document["id"]
    broken = [fault for found in description.get_all_operations() if (fault := _tried(found.ok(), person))]
    assert broken == []


def _tried(operation, person):
    """Return what an answer broke, or None. Schemathesis's own plugin does not work with pytest 9.2."""
    # Logged out, everything else would only be refused.
    leaves = operation.path == "/v1/auth/logout"
    bearer = {} if leaves else {"Authorization": f"Bearer {person.tokens['access_token']}"}

    for mode in schemathesis.GenerationMode:
        try:
            _try(operation.as_strategy(generation_mode=mode), bearer, person.patient)
        except Unsatisfiable:  # noqa: PERF203
            continue  # nothing can be wrong with what takes nothing
        except Exception as fault:  # noqa: BLE001 # told with those of the other operations
            return f"{operation.label}: {fault}"
    return None


def _try(cases, bearer, patient):
    @given(case=cases)
    @QUICKLY
    def answered(case):
        _about(case, patient)
        case.call_and_validate(headers=bearer, checks=CHECKS, timeout=10)

    answered()


def _about(case, patient):
    """Ask for a patient that there is, where one is asked for as described."""
    if _is_id((case.path_parameters or {}).get("patient")):
        case.path_parameters["patient"] = patient
    if isinstance(case.body, dict) and _is_id(case.body.get("patient_id")):
        case.body["patient_id"] = patient


def _is_id(value):
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{8}-[0-9a-f-]{27}", value)


def test_every_route_is_described_and_needs_a_token_but_for_the_way_in(clinic):
    paths = clinic.service.request("/openapi.json").document["paths"]
    open_to_all = {"/health", "/health/ready", "/v1/auth/login", "/v1/auth/refresh", "/v1/auth/password-reset"}
    for path, operations in paths.items():
        for method, operation in operations.items():
            assert ("security" in operation) == (path not in open_to_all), path
            if path not in open_to_all:
                filled = path.replace("{queue}", "worklist").replace("{patient}", "x").replace("{order}", "x")
                filled = filled.replace("{user}", "x")
                assert clinic.service.request(filled, method.upper()).status == 401
