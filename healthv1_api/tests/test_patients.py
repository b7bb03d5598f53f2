"""Patients are sealed, found, changed by one person at a time, and every look at them is told."""

import secrets
from uuid import UUID, uuid4

import pytest
from running.clinic import somebody
from running.cluster import APPLICATION


def test_a_patient_is_created_read_and_found_as_sent(clinic):
    wanted = somebody()
    made = clinic.clinician.ask("POST", "/v1/patients", wanted)
    assert (made.status, made.headers["etag"]) == (201, '"1"')
    read = clinic.clinician.ask("GET", made.headers["location"])
    assert read.document == made.document
    assert {name: read.document[name] for name in wanted} == wanted
    assert read.headers["cache-control"] == "no-store"


def test_the_table_holds_nothing_of_the_patient(clinic):
    wanted = somebody()
    row = clinic.clinician.ask("POST", "/v1/patients", wanted).document["id"]
    stored = clinic.database.sql(f"SELECT p FROM health.patients p WHERE id = '{row}'")
    for value in wanted.values():
        assert value not in stored
        assert value.encode().hex() not in stored


def test_a_ciphertext_opens_at_its_own_row_and_column_only(clinic):
    one, two = (clinic.clinician.new_patient().document["id"] for _ in range(2))
    for change in (
        f"UPDATE health.patients SET notes = (SELECT notes FROM health.patients WHERE id = '{two}') WHERE id = '{one}'",
        f"UPDATE health.patients SET given_name = family_name WHERE id = '{two}'",
    ):
        clinic.database.sql(change)
    for row in (one, two):
        request = secrets.token_hex(16)
        assert clinic.clinician.ask("GET", f"/v1/patients/{row}", x_request_id=request).status == 500
        assert clinic.service.lines_of(request, 2)[0]["exception"]["type"] == "TamperedError"
    clinic.database.sql(f"DELETE FROM health.patients WHERE id IN ('{one}', '{two}')")


def test_pages_follow_each_other_to_the_end(clinic):
    person = clinic.new("clinician")
    made = [person.new_patient().document["id"] for _ in range(5)]
    seen, after = [], UUID(int=0)
    while after:
        page = person.ask("GET", f"/v1/patients?limit=2&after={after}").document
        seen += [patient["id"] for patient in page["patients"]]
        after = page["after"]
    assert seen == sorted(set(seen))
    assert seen[-5:] == made


def test_search_is_exact_but_for_case_and_spacing(clinic):
    wanted = {**somebody(), "given_name": "Anna  Maria", "family_name": f"Müller-{secrets.token_hex(4)}"}
    row = clinic.clinician.ask("POST", "/v1/patients", wanted).document["id"]

    def found(**by):
        return [p["id"] for p in clinic.clinician.ask("POST", "/v1/patients/search", by).document["patients"]]

    assert found(identifier=wanted["identifier"].lower()) == [row]
    assert found(given_name=" anna maria", family_name=wanted["family_name"].upper()) == [row]
    assert found(identifier=wanted["identifier"][:-1]) == []
    assert found(given_name="Anna", family_name=wanted["family_name"]) == []
    assert clinic.clinician.ask("POST", "/v1/patients/search", {"given_name": "Anna"}).status == 422


def test_one_identifier_is_one_patient(clinic):
    wanted = somebody()
    assert clinic.clinician.ask("POST", "/v1/patients", wanted).status == 201
    again = clinic.clinician.ask("POST", "/v1/patients", {**somebody(), "identifier": wanted["identifier"].lower()})
    assert (again.status, again.document["title"]) == (409, "Conflict")


def test_a_change_needs_the_version_that_was_read(clinic):
    made = clinic.clinician.new_patient()
    path = made.headers["location"]
    assert clinic.clinician.ask("PATCH", path, {"notes": "x"}).status == 428
    changed = clinic.clinician.ask("PATCH", path, {"notes": "new"}, if_match='"1"')
    assert (changed.status, changed.headers["etag"], changed.document["notes"]) == (200, '"2"', "new")
    assert clinic.clinician.ask("PATCH", path, {"notes": "late"}, if_match='"1"').status == 412
    assert clinic.clinician.ask("GET", path).document == changed.document
    search = {"identifier": made.document["identifier"]}
    assert clinic.clinician.ask("POST", "/v1/patients/search", search).document["patients"] == [changed.document]


def test_another_organization_sees_nothing_of_them(clinic):
    made = clinic.clinician.new_patient()
    path = made.headers["location"]
    assert clinic.verifier.ask("GET", path).status == 404
    assert clinic.verifier.ask("PATCH", path, {"notes": "x"}, if_match='"1"').status == 404
    search = {"identifier": made.document["identifier"]}
    assert clinic.verifier.ask("POST", "/v1/patients/search", search).document == {"patients": []}
    order = {"patient_id": made.document["id"], "details": "x"}
    assert clinic.verifier.ask("POST", "/v1/queues/worklist", order).status == 404
    events = clinic.verifier.ask("GET", f"/v1/audit?subject={made.document['id']}").document["events"]
    assert [event["action"] for event in events] == ["patient.read"]


def test_every_deed_is_told_who_what_when_and_from_where(clinic):
    person, request = clinic.new("clinician"), secrets.token_hex(16)
    made = person.new_patient()
    row = made.document["id"]
    person.ask("GET", f"/v1/patients/{row}", x_request_id=request, x_real_ip="203.0.113.7")
    person.ask("POST", "/v1/patients/search", {"identifier": made.document["identifier"]})
    person.ask("GET", f"/v1/patients?limit=100&after={UUID(int=UUID(row).int - 1)}")
    person.ask("PATCH", f"/v1/patients/{row}", {"notes": "x"}, if_match='"1"')
    events = clinic.auditor.ask("GET", f"/v1/audit?subject={row}").document["events"]
    told = [event["action"].partition(".")[2] for event in reversed(events)]
    assert told == ["create", "read", "search", "list", "update"]
    assert len({event["actor_id"] for event in events}) == 1
    read = events[3]
    assert (read["request_id"], read["address"]) == (request, "203.0.113.7")
    stored = clinic.database.sql(
        f"SELECT string_agg(e::text, '') FROM health.audit_events e WHERE subject_id = '{row}'"
    )
    assert not any(value in stored for value in somebody())


def test_a_question_that_finds_nothing_is_told_too(clinic):
    person, nobody = clinic.new("clinician"), uuid4()
    assert person.ask("GET", f"/v1/patients/{nobody}").status == 404
    person.ask("POST", "/v1/patients/search", {"identifier": "nobody"})
    # Whoever asks may have logged in for it.
    events = clinic.auditor.ask("GET", "/v1/audit?limit=9").document["events"]
    told = [(event["action"], event["subject_id"]) for event in events if event["action"].startswith("patient.")]
    assert told[:2] == [
        ("patient.search", None),
        ("patient.read", str(nobody)),
    ]


def test_the_audit_trail_only_grows(clinic):
    for statement in ("DELETE FROM", "TRUNCATE", "UPDATE"):
        sql = f"{statement} health.audit_events" + (" SET action = 'x'" if statement == "UPDATE" else "")
        with pytest.raises(RuntimeError, match="permission denied"):
            clinic.database.sql(sql, role=APPLICATION)
        with pytest.raises(RuntimeError, match="only grows"):
            clinic.database.sql(sql)


def test_audit_pages_go_back_to_the_beginning(clinic):
    first = clinic.admin.ask("GET", "/v1/audit?limit=2").document
    second = clinic.admin.ask("GET", f"/v1/audit?limit=2&before={first['before']}").document
    numbers = [event["id"] for event in first["events"] + second["events"]]
    assert numbers == sorted(numbers, reverse=True)


@pytest.mark.parametrize("who", ["admin", "auditor"])
def test_patients_are_for_clinicians(clinic, who):
    person = getattr(clinic, who)
    for method, path in (("GET", "/v1/patients"), ("POST", "/v1/queues/worklist/claim")):
        assert person.ask(method, path).status == 403
    assert clinic.clinician.ask("GET", "/v1/audit").status == 403


def test_reading_refuses_whatever_the_way_an_identifier_is_written(clinic):
    person = clinic.new("clinician")
    row = person.new_patient().document["id"]
    ways = (row, row.upper(), row.replace("-", ""), "{" + row + "}")
    assert {person.ask("GET", f"/v1/patients/{way}").status for way in ways} == {200}
    for path in (*ways, "nobody", str(uuid4())):
        nobody = clinic.service.request(f"/v1/patients/{path}")
        assert (nobody.status, nobody.document["title"]) == (401, "Unauthorized")
        assert clinic.auditor.ask("GET", f"/v1/patients/{path}").status == 403
    assert person.ask("GET", "/v1/patients/nobody").status == 422
    assert person.ask("DELETE", f"/v1/patients/{row}").status == 405
    for wrong in ("Bearer", "Bearer ", f"Basic {person.tokens['access_token']}", "Bearer x"):
        assert clinic.service.request(f"/v1/patients/{row}", authorization=wrong).status == 401
