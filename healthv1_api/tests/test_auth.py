"""A password opens a session, tokens carry it, and a stolen one ends it."""

import base64
import hashlib
import hmac
import json
import secrets
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from running.clinic import IDLE, Clinic
from running.programs import program


def refresh(clinic, token):
    return clinic.service.request("/v1/auth/refresh", "POST", body={"refresh_token": token})


def signed(service, **changed):
    now = int(time.time())
    claims = {
        "iss": "healthv1-api",
        "sub": str(uuid4()),
        "org": str(uuid4()),
        "sid": str(uuid4()),
        "roles": ["admin"],
        "iat": now,
        "exp": now + 60,
    }
    return jwt({**claims, **changed}, service.environment["JWT_SECRET"])


def jwt(claims, secret, algorithm="HS256"):
    parts = b".".join(_encoded(json.dumps(part).encode()) for part in ({"alg": algorithm, "typ": "JWT"}, claims))
    signature = hmac.digest(secret.encode(), parts, hashlib.sha256) if algorithm == "HS256" else b""
    return (parts + b"." + _encoded(signature)).decode()


def _encoded(part):
    return base64.urlsafe_b64encode(part).rstrip(b"=")


def claims_of(token):
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


def test_who_is_logged_in_may_do_what_their_roles_say(clinic):
    assert clinic.admin.ask("GET", "/v1/features").status == 200
    refused = clinic.clinician.ask("GET", "/v1/features")
    assert (refused.status, refused.document["detail"]) == (403, "This needs one of the roles: admin.")
    assert clinic.service.request("/v1/features").headers["www-authenticate"].startswith("Bearer")


def test_an_unknown_user_and_a_wrong_password_look_the_same(clinic):
    wrong = clinic.login(clinic.new("clinician").username, "wrong-password")
    unknown = clinic.login(f"nobody-{uuid4()}", "wrong-password")
    assert wrong.status == unknown.status == 401
    assert wrong.text == unknown.text
    assert {name.lower() for name in wrong.headers} == {name.lower() for name in unknown.headers}


def test_an_unknown_user_and_a_wrong_password_take_the_same_time(clinic):
    """Before either of them waits, and then."""

    def seconds(username):
        before = time.perf_counter()
        answer = clinic.login(username, "wrong-password")
        return answer.status, time.perf_counter() - before

    taken = {}
    for _ in range(4):
        names = clinic.new("clinician").username, f"nobody-{uuid4()}"
        for _ in range(8):
            for which, name in enumerate(names):
                status, lasted = seconds(name)
                taken.setdefault((status, which), []).append(lasted)
    # The shortest: whatever else the machine does makes some of them longer, none shorter.
    for status in (401, 429):
        with_hash, without = (min(taken[status, which]) for which in (0, 1))
        assert without == pytest.approx(with_hash, rel=0.35)


def test_a_refresh_token_is_good_once_and_its_second_use_ends_the_family(clinic):
    person = clinic.new("clinician")
    first = person.tokens["refresh_token"]
    second = refresh(clinic, first)
    assert second.status == 200
    person.tokens = second.document
    assert person.ask("GET", "/v1/patients").status == 200
    assert refresh(clinic, first).status == 401
    assert refresh(clinic, second.document["refresh_token"]).status == 401
    ended = person.ask("GET", "/v1/patients")
    assert (ended.status, ended.document["detail"]) == (401, "The session has ended: refresh it, or log in.")
    assert "refresh.reused" in {e["action"] for e in clinic.auditor.ask("GET", "/v1/audit?limit=10").document["events"]}


def test_a_refresh_token_is_good_for_as_long_as_its_family(clinic):
    person = clinic.new("clinician")
    family = f"user_id = (SELECT id FROM health.users WHERE username = '{person.username}')"
    following = refresh(clinic, person.tokens["refresh_token"]).document
    clinic.database.sql(f"UPDATE health.refresh_families SET expires_at = now() WHERE {family}")
    assert refresh(clinic, following["refresh_token"]).status == 401


def test_two_refreshes_at_once_are_one_too_many(clinic):
    token = clinic.new("clinician").tokens["refresh_token"]
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda _: refresh(clinic, token), range(2)))
    assert sorted(answer.status for answer in answers) == [200, 401]
    following = next(answer for answer in answers if answer.status == 200).document["refresh_token"]
    assert refresh(clinic, following).status == 401


def test_logout_ends_the_session_and_the_family(clinic):
    person = clinic.new("clinician")
    assert person.ask("POST", "/v1/auth/logout").status == 204
    assert person.ask("GET", "/v1/patients").status == 401
    assert refresh(clinic, person.tokens["refresh_token"]).status == 401


def test_another_password_ends_every_session(clinic):
    person = clinic.new("clinician")
    elsewhere = clinic.login(person.username, person.password).document
    wrong = {"current": "wrong-password", "new": "another-password"}
    assert person.ask("POST", "/v1/auth/password", wrong).status == 403
    assert person.ask("POST", "/v1/auth/password", {**wrong, "current": person.password}).status == 204
    assert person.ask("GET", "/v1/patients").status == 401
    assert refresh(clinic, elsewhere["refresh_token"]).status == 401
    assert clinic.login(person.username, person.password).status == 401
    assert clinic.login(person.username, "another-password").status == 200


def test_a_logout_is_known_to_another_instance_within_a_second(migrated, run, serving):
    run("seed", VERIFICATION_PASSWORD="first-verification")
    clinics = [Clinic(serving(), migrated, {"VERIFICATION_PASSWORD": "first-verification"}) for _ in range(2)]
    here, there = (clinic.verifier for clinic in clinics)
    there.tokens = here.tokens
    assert [person.ask("GET", "/v1/patients").status for person in (here, there)] == [200, 200]
    assert here.ask("POST", "/v1/auth/logout").status == 204
    assert here.ask("GET", "/v1/patients").status == 401
    time.sleep(1.1)
    assert there.ask("GET", "/v1/patients").status == 401


def test_a_session_that_is_not_used_ends(clinic, redis_server):
    person = clinic.new("clinician")
    assert person.ask("GET", "/v1/patients").status == 200

    def redis(*words):
        argv = [program("redis-cli"), "--no-auth-warning", "-u", redis_server[1], *words]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()

    names = redis("--scan", "--pattern", "session:*")
    lifetimes = [int(redis("ttl", name)[0]) for name in names]
    assert min(lifetimes) > 0
    assert max(lifetimes) <= IDLE * 60
    assert claims_of(person.tokens["access_token"])["sid"] not in "".join(names)
    redis("flushall")
    clinic.remember_sessions_of(0)
    time.sleep(1.1)  # for a second, a session that goes on is taken at its word
    assert person.ask("GET", "/v1/patients").status == 401
    resumed = refresh(clinic, person.tokens["refresh_token"])
    assert resumed.status == 200


def test_tokens_of_others_and_of_other_times_get_a_clear_answer(clinic):
    service, now = clinic.service, int(time.time())

    def told(token):
        answer = service.request("/v1/features", authorization=f"Bearer {token}")
        assert answer.status == 401
        return answer.document["detail"]

    foreign = jwt({"sub": "x"}, secrets.token_urlsafe(48))
    unsigned = jwt({"sub": "x"}, "", "none")
    for token in (
        foreign,
        unsigned,
        "x.y.z",
        signed(service, sub="x"),
        signed(service, iss="other"),
        signed(service, roles=3),
    ):
        assert told(token) == "The access token is not one of ours."
    assert told(signed(service, iat=now + 600)) == "The access token is from the future: a server's clock is wrong."
    assert told(signed(service, exp=now - 600)) == "The access token has expired: refresh it."
    assert told(signed(service, iat=now + 30)) == "The session has ended: refresh it, or log in."


def test_passwords_and_tokens_are_kept_as_hashes(clinic):
    person = clinic.clinician
    stored = clinic.database.sql(f"SELECT password_hash FROM health.users WHERE username = '{person.username}'")
    assert stored.startswith("$argon2id$")
    tokens = clinic.database.sql("SELECT string_agg(t::text, '') FROM health.refresh_tokens t")
    assert person.tokens["refresh_token"] not in tokens


def test_the_first_admin_keeps_a_changed_password_and_the_verifier_follows_the_backend(migrated, run):
    first = {"INITIAL_ADMIN_PASSWORD": "first-admin-password", "VERIFICATION_PASSWORD": "first-verification"}
    assert run("seed", **first).stdout == "added 7 rows\n"
    assert run("seed", **first).stdout == "nothing to do: every row is there\n"
    hashes = "SELECT username, password_hash FROM health.users ORDER BY username"
    before = migrated.sql(hashes).splitlines()
    second = {"INITIAL_ADMIN_PASSWORD": "second-admin-password", "VERIFICATION_PASSWORD": "second-verification"}
    assert run("seed", "--check", **first).returncode == 0
    assert run("seed", "--check", **second).returncode == 3
    assert run("seed", **second).stdout == "added 1 rows\n"
    after = migrated.sql(hashes).splitlines()
    assert (before[0] == after[0], before[1] == after[1]) == (True, False)


def test_the_first_admins_password_may_come_on_stdin_for_the_one_moment_in_which_there_is_none(migrated, run):
    verifying = {"VERIFICATION_PASSWORD": "first-verification"}
    assert run("seed", **verifying).stdout == "added 6 rows\n"
    assert run("seed", "--check", **verifying).returncode == 0
    assert run("seed", "--check", "--admin", **verifying).returncode == 3
    for given, words in (("", "is neither set nor given on stdin"), ("1qaz2wsx3edc4rfv\n", "10,000 most common")):
        refused = run("seed", "--admin", stdin=given, **verifying)
        assert refused.returncode == 78
        assert refused.stderr.startswith("Error: INITIAL_ADMIN_PASSWORD: ")
        assert words in refused.stderr
        assert given.strip() == "" or given.strip() not in refused.stderr
    assert run("seed", "--admin", stdin="first-admin-password\n", **verifying).stdout == "added 1 rows\n"
    stored = "SELECT password_hash FROM health.users WHERE username = 'admin'"
    before = migrated.sql(stored)
    assert run("seed", "--check", "--admin", **verifying).returncode == 0
    assert run("seed", "--admin", stdin="another-admin-password\n", **verifying).returncode == 0
    assert migrated.sql(stored) == before


def test_a_username_is_one_persons(clinic):
    wanted = {"username": clinic.clinician.username, "password": "long-enough-password", "roles": ["auditor"]}
    assert clinic.admin.ask("POST", "/v1/users", wanted).status == 409
    assert clinic.clinician.ask("POST", "/v1/users", wanted).status == 403
