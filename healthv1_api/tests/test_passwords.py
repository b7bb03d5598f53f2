"""A password that is set is long, uncommon, new and not the name; who has an older one keeps it."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from deploys.environment import passwords as seeds

COMMON = "1qaz2wsx3edc4rfv"
REFUSED = {
    "short": "at least 12",
    "eleven-more": "at least 12",
    COMMON: "most common",
    COMMON.upper(): "most common",
}


def told(answer, member):
    assert answer.status == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    (fault,) = answer.document["errors"]
    assert fault["loc"] == ["body", member]
    return fault["msg"]


@pytest.mark.parametrize(("password", "words"), REFUSED.items())
def test_whoever_sets_a_weak_one_is_told_what_is_wrong_and_not_what_they_sent(clinic, password, words):
    person = clinic.clinician
    wanted = {"username": "somebody-new", "password": password, "roles": ["auditor"]}
    answers = [
        (clinic.admin.ask("POST", "/v1/users", wanted), "password"),
        (person.ask("POST", "/v1/auth/password", {"current": person.password, "new": password}), "new"),
        (
            clinic.service.request(
                "/v1/auth/password-reset", "POST", body={"username": "nobody", "code": "x", "new": password}
            ),
            "new",
        ),
    ]
    for answer, member in answers:
        assert words in told(answer, member) or "12 items" in told(answer, member)
        assert password not in answer.text


def test_it_is_neither_the_name_nor_the_present_one(clinic):
    name = "somebody.with.a.name"
    wanted = {"username": name, "password": name.upper(), "roles": ["clinician"]}
    assert "username" in told(clinic.admin.ask("POST", "/v1/users", wanted), "password")
    person = clinic.new("clinician")
    same = {"current": person.password, "new": person.password}
    assert "present" in told(person.ask("POST", "/v1/auth/password", same), "new")
    user = clinic.database.sql(f"SELECT id FROM health.users WHERE username = '{person.username}'")
    code = clinic.admin.ask("POST", f"/v1/users/{user}/password-reset").document["code"]
    body = {"username": person.username, "code": code, "new": person.password}
    assert "present" in told(clinic.service.request("/v1/auth/password-reset", "POST", body=body), "new")
    assert clinic.login(person.username, person.password).status == 200


def test_who_has_an_old_one_logs_in_with_it(clinic, command):
    person = clinic.new("clinician")
    script = f"from healthv1_api.auth.passwords import hashed; print(hashed({COMMON!r}))"
    stored = subprocess.run([command.parent / "python", "-c", script], check=True, capture_output=True, text=True)
    clinic.database.sql(
        f"UPDATE health.users SET password_hash = '{stored.stdout.strip()}' WHERE username = '{person.username}'"
    )
    assert clinic.login(person.username, COMMON).status == 200


@pytest.mark.parametrize("variable", ["INITIAL_ADMIN_PASSWORD", "VERIFICATION_PASSWORD"])
def test_seed_makes_nobody_with_a_weak_one_and_no_migration_stops_at_it(run, variable):
    weak = {variable: COMMON}
    assert run("migrate", "run", **weak).returncode == 0
    refused = run("seed", **weak)
    assert refused.returncode == 78
    assert refused.stderr.startswith(f"Error: {variable}: must not be among the 10,000 most common passwords.\nHint:")
    assert COMMON not in refused.stderr


def test_a_plan_refuses_what_the_api_would(command):
    script = "import json; from healthv1_api.auth.policy import common; print(json.dumps(sorted(common())))"
    listed = subprocess.run([command.parent / "python", "-c", script], check=True, capture_output=True, text=True)
    words = json.loads(listed.stdout)
    assert len(words) > 50
    for word in words:
        assert "most common" in seeds._fault(word, "admin"), word
    assert len(words) == len(seeds.COMMON_DIGESTS)
    for weak, name in (("short", "admin"), ("verification", "verification")):
        assert seeds._fault(weak, name)
    assert seeds._fault("first-admin-password", "admin") is None


def test_a_login_that_began_with_the_old_password_does_not_outlive_its_change(clinic):
    """Twenty logins race one change; whichever came first, none is left."""
    for turn in range(3):
        person, new = clinic.new("clinician"), f"another-password-{turn}"
        changed = {"current": person.password, "new": new}
        assert person.tokens

        def login(_, person=person):
            return clinic.login(person.username, person.password)

        with ThreadPoolExecutor(21) as threads:
            logins = [threads.submit(login, turn) for turn in range(10)]
            change = threads.submit(person.ask, "POST", "/v1/auth/password", changed)
            logins += [threads.submit(login, turn) for turn in range(10)]
        assert change.result().status == 204, change.result().text
        answers = [one.result() for one in logins]
        assert {answer.status for answer in answers} <= {200, 401, 429}
        alive = (
            "SELECT count(*) FROM health.refresh_families f JOIN health.users u ON u.id = f.user_id"
            f" WHERE u.username = '{person.username}' AND f.revoked_at IS NULL"
        )
        assert clinic.database.sql(alive) == "0"
        for answer in answers:
            if answer.status == 200:
                tokens = answer.document
                body = {"refresh_token": tokens["refresh_token"]}
                assert clinic.service.request("/v1/auth/refresh", "POST", body=body).status == 401
                bearer = f"Bearer {tokens['access_token']}"
                assert clinic.service.request("/v1/patients", authorization=bearer).status == 401


WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def login_while(clinic, person, held, before_it_is_let_go):
    """Log in while somebody's transaction holds what a login needs, and return the answer."""
    holder = clinic.database.session(held)
    with ThreadPoolExecutor(1) as threads:
        login = threads.submit(clinic.login, person.username, person.password)
        try:
            while clinic.database.sql(WAITING) == "0":
                assert not login.done(), "it waited for nobody"
        finally:
            holder.communicate(f"{before_it_is_let_go}; COMMIT;")
    return login.result()


@pytest.mark.parametrize("what", ["password_hash = 'another'", "active = false"])
@pytest.mark.parametrize("already", [False, True])
def test_a_login_whose_ground_is_gone_before_it_begins_does_not_begin(clinic, what, already):
    """Its password was right when it was compared: the change comes before it writes, or has been under way."""
    person = clinic.new("clinician")
    change = f"UPDATE health.users SET {what} WHERE username = '{person.username}'"
    lock = "LOCK TABLE health.refresh_families IN SHARE ROW EXCLUSIVE MODE"
    answer = login_while(clinic, person, change if already else lock, "SELECT" if already else change)
    assert (answer.status, answer.text) == (401, clinic.login(f"nobody-{uuid4()}", "wrong-password").text)
    families = "SELECT count(*) FROM health.refresh_families f JOIN health.users u ON u.id = f.user_id WHERE username ="
    assert clinic.database.sql(f"{families} '{person.username}'") == "0"


def test_a_login_brings_no_role_that_is_being_taken_away(clinic):
    person = clinic.new("clinician", "auditor")
    user = f"(SELECT id FROM health.users WHERE username = '{person.username}' FOR NO KEY UPDATE)"
    taking = f"DELETE FROM health.user_roles WHERE role = 'clinician' AND user_id = {user}"
    person.tokens = login_while(clinic, person, taking, "SELECT").document
    assert person.ask("GET", "/v1/patients").status == 403
    assert person.ask("GET", "/v1/audit").status == 200
