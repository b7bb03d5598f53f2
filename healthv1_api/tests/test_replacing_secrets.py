"""While secrets are replaced, instances of two steps serve side by side: nobody is logged out, all stays readable."""

import json
import secrets
import subprocess
import time

import pytest
from running.clinic import Clinic, Person
from running.database import make_database
from running.environment import master_key, variables
from running.programs import program
from running.service import Service

PASSWORDS = {"INITIAL_ADMIN_PASSWORD": "first-admin-password", "VERIFICATION_PASSWORD": "first-verification"}
REPLACED = ("JWT_SECRET", "SESSION_SECRET", "MASTER_KEY")


def with_also(active, other):
    return {**active, **{f"{name}_ALSO_ACCEPTED": other[name] for name in REPLACED}}


def steps_from(environment):
    """The variables of each step."""
    old = {name: environment[name] for name in REPLACED}
    new = {"JWT_SECRET": secrets.token_urlsafe(48), "SESSION_SECRET": secrets.token_urlsafe(48)}
    new["MASTER_KEY"] = master_key()
    return {"settled": old, "staged": with_also(old, new), "promoted": with_also(new, old), "retired": new}


@pytest.fixture(scope="module")
def both(cluster, command, migrated_once, redis_server, tmp_path_factory):
    """An instance that is staged, and one that is promoted; whoever asks has logged in at the first."""
    database = make_database(cluster)
    database.become_a_copy_of(migrated_once)
    environment = variables(database, redis_server[1])
    subprocess.run([command, "seed"], env={**environment, **PASSWORDS}, check=True)
    services, steps = [], steps_from(environment)
    try:
        for step in ("staged", "promoted"):
            env = {**environment, **steps[step]}
            services.append(Service([command], env, tmp_path_factory.mktemp(step)).start())
            services[-1].becomes(200)
        yield [Clinic(service, database, PASSWORDS) for service in services]
    finally:
        for service in services:
            service.stop()


@pytest.fixture
def people(both, sessions):
    """The same person at each, logged in anew."""
    for clinic in both:
        vars(clinic).pop("verifier", None)
    return [clinic.verifier for clinic in both]


@pytest.fixture
def steps(environment):
    return steps_from(environment)


@pytest.fixture
def at(migrated, run, serving, steps):
    """An instance at a step of the rotation."""
    run("seed", **PASSWORDS)

    def at(step):
        clinic = Clinic(serving(**steps[step]), migrated, PASSWORDS)
        clinic.service.becomes(200)
        return clinic

    return at


@pytest.fixture
def sessions(redis_server):
    """Return the name of each session since, and how long it is to live."""

    def redis(*words):
        argv = [program("redis-cli"), "--no-auth-warning", "-u", redis_server[1], *words]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()

    def names():
        return set(redis("--scan", "--pattern", "session:*"))

    before = names()
    return lambda: {name: int(redis("ttl", name)[0]) for name in names() - before}


def test_a_session_moves_to_the_secret_of_whom_it_asks(people, sessions):
    staged, promoted = people
    promoted.tokens = staged.tokens
    seen = []
    for person in (staged, promoted, staged):
        assert person.ask("GET", "/v1/patients").status == 200
        seen.append(sessions())
        time.sleep(1.1)  # for a second, an instance takes a session at its word
    old, new, again = ([*names] for names in seen)
    assert [len(names) for names in seen] == [1, 1, 1]
    assert old != new
    assert again == old
    assert all(1790 < ttl <= 1800 for names in seen for ttl in names.values())


def test_what_another_step_signed_and_sealed_is_read(people, sessions):
    staged, promoted = people
    of_staged, of_promoted = staged.tokens, promoted.tokens
    paths = [person.new_patient().headers["location"] for person in (staged, promoted)]
    staged.tokens, promoted.tokens = of_promoted, of_staged
    assert [person.ask("GET", path).status for person in (staged, promoted) for path in paths] == [200] * 4
    assert len(sessions()) == 2
    refresh = {"refresh_token": of_staged["refresh_token"]}
    promoted.tokens = promoted.clinic.service.request("/v1/auth/refresh", "POST", body=refresh).document
    assert promoted.ask("POST", "/v1/auth/logout").status == 204
    assert len(sessions()) == 1


def test_an_end_is_one_under_both_names(people, sessions):
    staged, promoted = people
    refresh = {"refresh_token": staged.tokens["refresh_token"]}
    staged.tokens = promoted.clinic.service.request("/v1/auth/refresh", "POST", body=refresh).document
    assert len(sessions()) == 2
    assert staged.ask("POST", "/v1/auth/logout").status == 204
    assert sessions() == {}


def test_instances_of_both_steps_go_on_through_a_rewrap_and_the_old_secrets_are_refused_after_it(
    at, run, steps, migrated
):
    staged, promoted = at("staged").verifier, at("promoted").verifier
    masters = "SELECT string_agg(DISTINCT master, ' ') FROM health.data_keys"
    old = migrated.sql(masters)
    assert run("keys", "rewrap", **steps["promoted"]).returncode == 0
    # Who starts after it may still wrap what is due under the old key.
    migrated.sql("UPDATE health.data_keys SET created_at = now() - interval '91 days'")
    late = at("staged").verifier
    assert migrated.sql("SELECT master FROM health.data_keys ORDER BY id DESC LIMIT 1") == old
    people = (staged, promoted, late)
    paths = [person.new_patient().headers["location"] for person in people]
    assert run("keys", "check", "--wrapped", **steps["promoted"]).returncode == 3
    assert [person.ask("GET", path).status for person in people for path in paths] == [200] * 9
    assert run("keys", "rewrap", **steps["promoted"]).stdout == "rewrapped 1 keys\n"
    assert run("keys", "check", "--wrapped", **steps["retired"]).returncode == 0
    assert [person.ask("GET", path).status for person in people for path in paths] == [200] * 9
    retired = Person(at("retired"), "verification", staged.password)
    answers = []
    for retired.tokens in (promoted.tokens, staged.tokens):
        answers.append(retired.ask("GET", paths[0]))
    assert [answer.status for answer in answers] == [200, 401]
    assert answers[1].document["detail"] == "The access token is not one of ours."
    assert run("keys", "check", **steps["settled"]).returncode == 78


TRIES = """
import json, os, time
from uuid import uuid4
import jwt
from pydantic import SecretStr
from healthv1_api.auth import tokens
old, new, strange = (SecretStr(32 * letter) for letter in "ons")
decode, tried = jwt.decode, []
def counted(token, secret, *arguments, **named):
    tried.append(secret[0])
    return decode(token, secret, *arguments, **named)
jwt.decode = counted
identity = tokens.Identity(uuid4(), uuid4(), uuid4(), frozenset(["admin"]))
def read(issued):
    tried.clear()
    try:
        answer = "ours" if accepting.read(issued) == identity else "another's"
    except tokens.NotIdentified as refused:
        answer = refused.detail
    return [answer, "".join(tried)]
accepting = tokens.AccessTokens(new, 3600, old)
by_old = tokens.AccessTokens(old, 3600).issue(identity)
print(json.dumps([
    read(accepting.issue(identity)),
    read(tokens.AccessTokens(new, -600).issue(identity)),
    read(by_old), read(by_old),
    read(tokens.AccessTokens(old, -600).issue(identity)),
    read(tokens.AccessTokens(strange, 3600).issue(identity)),
]))
"""


@pytest.fixture
def by_the_service(command):
    def by_the_service(script, *arguments):
        argv = [command.parent / "python", "-c", script, *arguments]
        done = subprocess.run(argv, env={}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return by_the_service


def test_a_token_is_tried_with_the_other_secret_only_when_the_active_did_not_sign_it(by_the_service):
    expired = "The access token has expired: refresh it."
    assert by_the_service(TRIES) == [
        ["ours", "n"],
        [expired, "n"],
        ["ours", "no"],
        ["ours", ""],  # remembered
        [expired, "no"],
        ["The access token is not one of ours.", "no"],
    ]


PING_PONG = """
import asyncio, json, sys
from uuid import uuid4
from pydantic import SecretStr
from redis.asyncio import Redis
from healthv1_api.auth import sessions
sessions.RECENT = 0
async def main():
    redis = Redis.from_url(sys.argv[1])
    old, new = SecretStr(32 * "o"), SecretStr(32 * "n")
    both = [sessions.Sessions(redis, old, 60, new), sessions.Sessions(redis, new, 60, old)]
    session = uuid4()
    await both[0].open(session)
    async def use(instance):
        return [await instance.goes_on(session) for _ in range(150)]
    found = sum(await asyncio.gather(*map(use, [*both, *both])), [])
    await both[0].end(session)
    ended = [await instance.goes_on(session) for instance in both]
    await redis.aclose()
    print(json.dumps([found.count(True), found.count(False), ended]))
asyncio.run(main())
"""


def test_a_session_that_two_steps_move_back_and_forth_is_always_found(by_the_service, redis_server):
    assert by_the_service(PING_PONG, redis_server[1]) == [600, 0, [False, False]]
