"""An admin ends a person's access, gives it back, and changes what they may do; what is taken away is gone at once."""

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from running.clinic import Clinic, Person

PASSWORDS = {"INITIAL_ADMIN_PASSWORD": "first-admin-password", "VERIFICATION_PASSWORD": "first-verification"}
ENDED = "The session has ended: refresh it, or log in."


def id_of(person):
    return person.clinic.database.sql(f"SELECT id FROM health.users WHERE username = '{person.username}'")


def change(clinic, person, **what):
    return clinic.admin.ask("PATCH", f"/v1/users/{id_of(person)}", what)


def refresh(person):
    token = {"refresh_token": person.tokens["refresh_token"]}
    return person.clinic.service.request("/v1/auth/refresh", "POST", body=token)


def reset(clinic, username, code, new):
    body = {"username": username, "code": code, "new": new}
    return clinic.service.request("/v1/auth/password-reset", "POST", body=body)


def code_for(clinic, person):
    answer = clinic.admin.ask("POST", f"/v1/users/{id_of(person)}/password-reset")
    assert answer.status == 201, answer.text
    return answer.document["code"]


def told_of(clinic, person):
    events = clinic.auditor.ask("GET", f"/v1/audit?subject={id_of(person)}&limit=100").document["events"]
    return [event["action"] for event in reversed(events)]


@pytest.fixture
def alone(migrated, run, serving):
    """A clinic of its own: its admin is the only one."""
    run("seed", **PASSWORDS)
    return Clinic(serving(), migrated, PASSWORDS)


def test_an_admin_lists_the_people_of_the_organization_alone(clinic):
    person = clinic.new("clinician", "auditor")
    seen, after = [], UUID(int=0)
    while after:
        page = clinic.admin.ask("GET", f"/v1/users?limit=3&after={after}").document
        seen += page["users"]
        after = page["after"]
    assert len({user["id"] for user in seen}) == len(seen)
    (found,) = (user for user in seen if user["username"] == person.username)
    assert found == {
        "id": id_of(person),
        "username": person.username,
        "roles": ["auditor", "clinician"],
        "active": True,
    }
    names = {user["username"] for user in seen}
    assert "admin" in names
    assert "verification" not in names
    assert "user.list" in {e["action"] for e in clinic.auditor.ask("GET", "/v1/audit?limit=20").document["events"]}


def test_who_is_deactivated_is_out_on_every_instance_within_a_second_and_comes_back(migrated, run, serving):
    run("seed", **PASSWORDS)
    here, there = (Clinic(serving(), migrated, PASSWORDS) for _ in range(2))
    person = here.new("clinician")
    elsewhere = Person(there, person.username, person.password)
    elsewhere.tokens = person.tokens
    assert [one.ask("GET", "/v1/patients").status for one in (person, elsewhere)] == [200, 200]
    assert change(here, person, active=False).document["active"] is False
    assert person.ask("GET", "/v1/patients").document["detail"] == ENDED
    time.sleep(1.1)
    assert elsewhere.ask("GET", "/v1/patients").document["detail"] == ENDED
    assert refresh(person).status == 401
    refused = here.login(person.username, person.password)
    assert (refused.status, refused.text) == (401, here.login("nobody", "wrong-password").text)
    assert change(here, person, active=True).document["active"] is True
    assert refresh(person).status == 401
    assert here.login(person.username, person.password).status == 200


def test_a_role_that_is_taken_away_is_gone_from_tokens_that_tell_of_it(clinic):
    person = clinic.new("clinician", "auditor")
    assert person.ask("GET", "/v1/patients").status == 200
    assert change(clinic, person, roles=["auditor"]).document["roles"] == ["auditor"]
    assert person.ask("GET", "/v1/patients").status == 401
    assert refresh(person).status == 401
    person.tokens = clinic.login(person.username, person.password).document
    assert person.ask("GET", "/v1/patients").status == 403
    assert person.ask("GET", "/v1/audit").status == 200
    # What is given ends nothing, and holds from the next refresh.
    assert change(clinic, person, roles=["auditor", "clinician"]).status == 200
    assert person.ask("GET", "/v1/audit").status == 200
    person.tokens = refresh(person).document
    assert person.ask("GET", "/v1/patients").status == 200


def test_all_that_is_done_to_a_person_is_told(clinic):
    person = clinic.new("clinician")
    for what in ({"active": False}, {"active": True}, {"active": True}, {"roles": ["admin"]}, {}):
        assert change(clinic, person, **what).status == 200
    assert reset(clinic, person.username, "wrong", "another-password").status == 401
    assert reset(clinic, person.username, code_for(clinic, person), "another-password").status == 204
    person.tokens = clinic.login(person.username, "another-password").document
    wrong = {"current": "wrong-password", "new": "a-third-password"}
    assert person.ask("POST", "/v1/auth/password", wrong).status == 403
    assert told_of(clinic, person) == [
        "user.create",
        "user.deactivate",
        "user.reactivate",
        "role.add.admin",
        "role.remove.clinician",
        "password.reset.refused",
        "password.reset.start",
        "password.reset",
        "login",
        "password.refused",
    ]


def test_the_last_active_admin_stays_one(alone):
    admin, other = alone.admin, alone.new("admin")
    assert change(alone, other, active=False).status == 200
    for what in ({"active": False}, {"roles": ["auditor"]}, {"active": False, "roles": ["clinician"]}):
        refused = change(alone, admin, **what)
        assert (refused.status, "last active admin" in refused.document["detail"]) == (409, True)
    assert admin.ask("GET", "/v1/users").status == 200, "a refused change ended the session"
    assert change(alone, admin, roles=["admin", "auditor"]).status == 200
    assert change(alone, other, active=True).status == 200
    assert change(alone, admin, roles=["auditor"]).status == 200
    assert alone.login("admin", admin.password).status == 200


def test_two_admins_who_end_each_others_access_leave_one(alone):
    for _ in range(5):
        two = [alone.new("admin") for _ in range(2)]
        everybody = alone.database.sql("SELECT id FROM health.users u WHERE username = 'admin'")
        two[0].tokens, two[1].tokens
        assert two[0].ask("PATCH", f"/v1/users/{everybody}", {"active": False}).status == 200
        pairs = [(two[0], id_of(two[1])), (two[1], id_of(two[0]))]
        with ThreadPoolExecutor(2) as threads:
            done = [
                threads.submit(by.ask, "PATCH", f"/v1/users/{whom}", {"active": False}).result for by, whom in pairs
            ]
            statuses = [answer().status for answer in done]
        # The second is out already, or is refused.
        assert 200 in statuses
        assert statuses.count(200) == 1, statuses
        left = alone.database.sql("SELECT count(*) FROM health.users WHERE active AND username <> 'verification'")
        assert left == "1"
        alone.database.sql("UPDATE health.users SET active = true WHERE username = 'admin'")
        alone.database.sql("UPDATE health.users SET active = false WHERE username LIKE 'user-%'")
        alone.admin.tokens = alone.login("admin", alone.admin.password).document


def test_a_code_is_good_once_and_ends_every_session(clinic):
    person, new = clinic.new("clinician"), "another-password"
    assert person.ask("GET", "/v1/patients").status == 200
    answer = clinic.admin.ask("POST", f"/v1/users/{id_of(person)}/password-reset")
    code = answer.document["code"]
    assert answer.headers["cache-control"] == "no-store"
    stored = clinic.database.sql("SELECT string_agg(r::text, '') FROM health.password_resets r")
    assert code not in stored
    assert code.encode().hex() not in stored
    minutes = "SELECT round(extract(epoch FROM expires_at - now()) / 60) FROM health.password_resets WHERE user_id ="
    assert clinic.database.sql(f"{minutes} '{id_of(person)}'") == "15"
    assert person.ask("GET", "/v1/patients").status == 200, "it was only begun"
    assert reset(clinic, person.username, code.lower().replace("-", " "), new).status == 204
    assert person.ask("GET", "/v1/patients").status == 401
    assert refresh(person).status == 401
    assert reset(clinic, person.username, code, "a-third-password").status == 401
    assert clinic.login(person.username, person.password).status == 401
    assert clinic.login(person.username, new).status == 200


def test_a_code_ends_with_its_time_with_a_second_one_and_with_the_access_that_it_is_for(clinic):
    person, new = clinic.new("clinician"), "another-password"

    def refused(code):
        answer = reset(clinic, person.username, code, new)
        return (answer.status, answer.document["detail"]) == (401, expected)

    expected = reset(clinic, "nobody", "x", new).document["detail"]
    first, second = code_for(clinic, person), code_for(clinic, person)
    assert refused(first)
    clinic.database.sql("UPDATE health.password_resets SET expires_at = now()")
    assert refused(second)
    third = code_for(clinic, person)
    other = clinic.new("clinician")
    assert reset(clinic, other.username, third, new).status == 401
    change(clinic, person, active=False)
    assert refused(third)
    assert clinic.admin.ask("POST", f"/v1/users/{id_of(person)}/password-reset").status == 409
    change(clinic, person, active=True)
    assert refused(third)
    fourth, changed = code_for(clinic, person), {"current": person.password, "new": new}
    assert person.ask("POST", "/v1/auth/password", changed).status == 204
    assert refused(fourth)


def test_an_admins_token_is_not_worth_the_admins_password(clinic):
    answer = clinic.admin.ask("POST", f"/v1/users/{id_of(clinic.admin)}/password-reset")
    assert (answer.status, answer.document["detail"]) == (
        409,
        "Change your own password with POST /v1/auth/password.",
    )


def test_people_of_another_organization_are_not_there(clinic):
    strangers = (id_of(clinic.verifier), str(uuid4()))
    told = set()
    for user in strangers:
        for method, path, body in (
            ("PATCH", f"/v1/users/{user}", {"active": False}),
            ("PATCH", f"/v1/users/{user}", {"roles": ["admin"]}),
            ("POST", f"/v1/users/{user}/password-reset", None),
        ):
            answer = clinic.admin.ask(method, path, body)
            told.add((answer.status, answer.text))
    assert len(told) == 1
    assert told.pop()[0] == 404
    assert clinic.verifier.ask("GET", "/v1/patients").status == 200
    for person in (clinic.clinician, clinic.auditor, clinic.verifier):
        user = id_of(person)
        assert person.ask("GET", "/v1/users").status == 403
        assert person.ask("PATCH", f"/v1/users/{user}", {"roles": ["admin"]}).status == 403
        assert person.ask("POST", f"/v1/users/{user}/password-reset").status == 403


def test_nothing_is_ended_while_redis_is_away_and_all_when_it_is_back(alone, redis_server):
    """Half of it would be no way out: the session that outlives its family would go on for as long as it is used."""
    person, server = alone.new("clinician"), redis_server[0]
    session = person.tokens
    assert person.ask("GET", "/v1/patients").status == 200
    user = id_of(person)
    assert alone.admin.ask("GET", "/v1/users").status == 200
    server.stop()
    try:
        # Within the second in which the admin's session is taken at its word.
        answer = alone.admin.ask("PATCH", f"/v1/users/{user}", {"active": False})
    finally:
        server.start()
    assert answer.status == 503
    assert alone.database.sql(f"SELECT active FROM health.users WHERE id = '{user}'") == "t"
    deadline = time.monotonic() + 10
    while (resumed := refresh(person)).status == 503 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert resumed.status == 200, "its refresh token was not used up, and its family goes on"
    assert session


def test_a_name_is_one_organizations_and_no_one_elses_people_are_told(clinic):
    wanted = {"username": "verification", "password": secrets.token_urlsafe(16), "roles": ["auditor"]}
    assert clinic.admin.ask("POST", "/v1/users", wanted).status == 409
