"""What was tried against the service for an afternoon, and held: roles, walls, paths, names of hosts, smuggling."""

import re
import secrets
import socket
from datetime import datetime, timedelta, timezone
from uuid import UUID, uuid4

import pytest
from running.clinic import somebody
from running.daemon import LOOPBACK
from test_auth import jwt, signed

ROLES = {
    "/v1/patients": {"clinician"},
    "/v1/queues": {"clinician"},
    "/v1/users": {"admin"},
    "/v1/features": {"admin"},
    "/v1/audit": {"admin", "auditor"},
}


def test_every_route_asks_for_its_roles_and_for_no_others(clinic):
    people = {role: clinic.new(role) for role in ("admin", "clinician", "auditor")}
    seen = set()
    for path, operations in clinic.service.request("/openapi.json").document["paths"].items():
        wanted = next((roles for start, roles in ROLES.items() if path.startswith(start)), None)
        if wanted is None:
            continue
        filled = re.sub(r"\{\w+\}", "x", path.replace("{queue}", "worklist"))
        for method in operations:
            seen.add(path)
            let_in = {role for role, person in people.items() if person.ask(method.upper(), filled).status != 403}
            assert let_in == wanted, (method, path)
    assert len(seen) >= 11


def test_what_another_organization_has_is_not_there(clinic):
    made = clinic.clinician.new_patient().document["id"]
    order = clinic.clinician.ask("POST", "/v1/queues/lab_orders", {"patient_id": made, "details": "theirs"}).document
    mine = clinic.verifier
    while (claimed := mine.ask("POST", "/v1/queues/lab_orders/claim")).status == 200:
        assert claimed.document["id"] != order["id"]
    assert mine.ask("POST", f"/v1/queues/lab_orders/{order['id']}/complete").status == 409
    # The page on which it would be the first.
    page = f"/v1/patients?limit=100&after={UUID(int=UUID(made).int - 1)}"
    assert clinic.clinician.ask("GET", page).document["patients"][0]["id"] == made
    assert made not in mine.ask("GET", page).text
    stranger = clinic.database.sql("SELECT id FROM health.users WHERE username = 'admin'")
    events = mine.ask("GET", "/v1/audit?limit=100").document["events"]
    assert stranger not in {event["actor_id"] for event in events}
    known = {event["id"] for event in clinic.auditor.ask("GET", "/v1/audit?limit=100").document["events"]}
    assert not known & {event["id"] for event in events}


def test_another_organizations_rows_stay_there_though_they_bear_our_names(clinic):
    """No such row comes about by itself: digests are made for one organization, and claims by its own people."""
    theirs = clinic.clinician.new_patient().document["id"]
    order = clinic.clinician.ask("POST", "/v1/queues/lab_orders", {"patient_id": theirs, "details": "x"}).document["id"]
    mine, person = clinic.verifier, somebody()
    own = mine.ask("POST", "/v1/patients", person).document["id"]
    clinic.database.sql(
        f"UPDATE health.patients SET name_digest = (SELECT name_digest FROM health.patients WHERE id = '{own}')"
        f" WHERE id = '{theirs}'"
    )
    clinic.database.sql(
        "UPDATE health.lab_orders SET claimed_until = now() + '1 hour',"
        f" claimed_by = (SELECT id FROM health.users WHERE username = 'verification') WHERE id = '{order}'"
    )
    names = {name: person[name] for name in ("given_name", "family_name")}
    patients = mine.ask("POST", "/v1/patients/search", names).document["patients"]
    assert [patient["id"] for patient in patients] == [own]
    assert mine.ask("POST", f"/v1/queues/lab_orders/{order}/complete").status == 409


def test_a_token_is_of_one_algorithm_and_of_nothing_that_it_says_of_itself(clinic):
    service = clinic.service
    good = clinic.admin.tokens["access_token"]
    head, body, signature = good.split(".")
    none = jwt({"sub": str(uuid4())}, "", "none")
    foreign = [
        f"{none.split('.')[0]}.{body}.",
        f"{none.split('.')[0]}.{body}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{head}.{signed(service).split('.')[1]}.{signature}",
        f"{good}.{signature}",
        signed(service, exp=None),
        signed(service, org=None),
        clinic.admin.tokens["refresh_token"],
    ]
    for token in foreign:
        assert service.request("/v1/features", authorization=f"Bearer {token}").status == 401, token
    # A session belongs to what was signed: nothing else of a request tells who asks.
    for claim in ({"cookie": f"token={good}"}, {"x_user": "admin"}, {"x_forwarded_user": "admin"}):
        assert service.request(f"/v1/features?access_token={good}", **claim).status == 401
    assert service.request("/v1/features", authorization=f"Bearer {good}").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "//v1/features",
        "/v1//features",
        "/v1/features/",
        "/V1/features",
        "/v1/./features",
        "/v1/x/../features",
        "/v1/%66eatures/..",
        "/health/../v1/features",
        "/health/..;/v1/features",
        "/v1/features;x",
        "/v1/features%00",
        "/v1/features%2f",
        "/v1/features%20",
        "/..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
    ],
)
def test_no_way_to_write_a_path_leads_around_the_door(clinic, path):
    answer = clinic.service.request(path)
    assert answer.status in {400, 401, 404}
    assert "root:" not in answer.text
    assert "location" not in answer.headers


def test_the_name_of_a_host_changes_no_answer(clinic):
    row = clinic.clinician.new_patient()
    assert row.headers["location"].startswith("/v1/patients/")
    plain = clinic.clinician.ask("GET", row.headers["location"])
    for tricks in (
        {"host": "evil.example.org"},
        {"x_forwarded_host": "evil.example.org", "forwarded": "host=evil.example.org"},
        {"x_original_url": "/v1/features", "x_rewrite_url": "/v1/features"},
        {"x_http_method_override": "DELETE"},
    ):
        answer = clinic.clinician.ask("GET", row.headers["location"], **tricks)
        assert (answer.status, answer.text) == (200, plain.text)
        made = clinic.clinician.ask("POST", "/v1/patients", somebody(), **tricks)
        assert made.headers["location"].startswith("/v1/patients/")
        assert "evil" not in made.text + str(made.headers)


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
AMBIGUOUS = {
    "both lengths": b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % (5 + len(SMUGGLED)),
    "both, the other way": b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED),
    "a list of lengths": b"Content-Length: 0, %d\r\n\r\n" % len(SMUGGLED),
    "a signed length": b"Content-Length: +0\r\n\r\n",
    "a space before the colon": b"Content-Length : 0\r\n\r\n",
    "an unknown encoding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked not last": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a folded header": b"Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "a wrong size of a chunk": b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
}


@pytest.mark.parametrize("how", AMBIGUOUS)
def test_a_request_of_two_lengths_is_the_last_of_its_connection(clinic, how):
    with socket.create_connection((LOOPBACK, clinic.service.port), timeout=10) as connection:
        connection.sendall(b"POST /v1/auth/logout HTTP/1.1\r\nHost: x\r\n" + AMBIGUOUS[how] + SMUGGLED)
        connection.shutdown(socket.SHUT_WR)
        answered = b""
        while part := connection.recv(65536):
            answered += part
    assert b"404" not in answered, answered
    assert answered.count(b"HTTP/1.1 ") <= 1


IDENTITIES = {
    "0123456789abcdef0123456789abcdef": True,
    "0123456789ABCDEF0123456789abcdef": True,
    "01234567-89ab-cdef-0123-456789ABCDEF": True,
    "123-45-6789": False,
    "0123456789abcdef": False,
    "Jane-Doe-1980-02-29": False,
    "0123456789abcdef0123456789abcdef0": False,
    "0123456789abcdef-0123456789abcdef": False,
    "01234567-89ab-cdef-0123-456789abcdeg": False,
    "{01234567-89ab-cdef-0123-456789abcdef}": False,
}


def test_a_request_keeps_an_identity_that_can_be_nothing_else(clinic):
    row = clinic.clinician.new_patient().document["id"]
    for offered, kept in IDENTITIES.items():
        answer = clinic.clinician.ask("GET", f"/v1/patients/{row}", x_request_id=offered)
        told = answer.headers["x-request-id"]
        assert (told == offered) == kept
        assert re.fullmatch(r"[0-9a-fA-F-]{32,36}", told)
        clinic.service.lines_of(told, 1)
    trail = clinic.database.sql(
        f"SELECT string_agg(request_id, ' ') FROM health.audit_events WHERE subject_id = '{row}'"
    )
    for offered, kept in IDENTITIES.items():
        assert (offered in trail.split()) == kept
        assert (f'"{offered}"' in clinic.service.output) == kept


def test_who_is_born_tomorrow_or_has_a_name_that_ends_early_is_refused(clinic):
    for changed, member in (
        ({"birth_date": "9999-12-31"}, "birth_date"),
        ({"birth_date": in_days(2)}, "birth_date"),
        ({"given_name": "Jane\0"}, "given_name"),
        ({"family_name": "D\0e"}, "family_name"),
        ({"identifier": "1\0"}, "identifier"),
    ):
        made = clinic.clinician.new_patient()
        path = made.headers["location"]
        for answer in (
            clinic.clinician.ask("POST", "/v1/patients", {**somebody(), **changed}),
            clinic.clinician.ask("PATCH", path, changed, if_match='"1"'),
        ):
            assert answer.status == 422
            assert answer.headers["content-type"] == "application/problem+json"
            assert [fault["loc"] for fault in answer.document["errors"]] == [["body", member]]
        assert clinic.clinician.ask("GET", path).text == made.text
    assert clinic.clinician.ask("POST", "/v1/patients/search", {"identifier": "1\0"}).status == 422
    assert clinic.clinician.new_patient(birth_date=in_days(0)).status == 201


def in_days(days):
    return (datetime.now(timezone.utc) + timedelta(days=days)).date().isoformat()


def test_no_name_of_a_person_reaches_a_log(clinic):
    name = f"canary{secrets.token_hex(8)}"
    clinic.login(name, f"{name}-password")
    body = {"username": name, "code": name, "new": f"{name}-password"}
    assert clinic.service.request("/v1/auth/password-reset", "POST", body=body).status == 401
    wanted = {"username": name, "password": f"{name}-password", "roles": ["auditor"], name: name}
    assert clinic.admin.ask("POST", "/v1/users", wanted).status == 422
    metrics = clinic.service.request("/metrics", port=clinic.service.metrics_port).text
    assert name not in clinic.service.output + metrics
    assert clinic.database.sql(f"SELECT count(*) FROM health.audit_events e WHERE e::text LIKE '%{name}%'") == "0"
