"""Failures in a row make whoever gives that name wait, known or not, right or wrong, on every instance."""

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from running.clinic import Clinic
from running.database import make_database
from running.environment import variables
from running.programs import program
from running.service import Service

PASSWORDS = {"INITIAL_ADMIN_PASSWORD": "first-admin-password", "VERIFICATION_PASSWORD": "first-verification"}
FREE = 5


@pytest.fixture(scope="module")
def two(cluster, command, migrated_once, redis_server, tmp_path_factory):
    """Two instances of one deployment."""
    database = make_database(cluster)
    database.become_a_copy_of(migrated_once)
    environment = variables(database, redis_server[1])
    subprocess.run([command, "seed"], env={**environment, **PASSWORDS}, check=True)
    services = [Service([command], environment, tmp_path_factory.mktemp("guarded")).start() for _ in range(2)]
    try:
        yield [Clinic(service, database, PASSWORDS) for service in services]
    finally:
        for service in services:
            service.stop()


@pytest.fixture
def guarded(two, redis_server):
    """Their clinics."""
    for clinic in two:
        clinic.remember_sessions_of(redis_server[0].process.pid)
    return two


@pytest.fixture
def redis(redis_server):
    def redis(*words):
        argv = [program("redis-cli"), "--no-auth-warning", "-u", redis_server[1], *words]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()

    return redis


def lifetimes(redis, kind):
    return [int(redis("pttl", name)[0]) for name in redis("--scan", "--pattern", f"{kind}:*")]


def forget(redis, *kinds):
    names = [name for kind in kinds for name in redis("--scan", "--pattern", f"{kind}:*")]
    if names:
        redis("del", *names)


def fail(clinics, username, times, redis):
    """As often as if each delay had been waited for; return the last answer."""
    for turn in range(times):
        forget(redis, "wait")
        answer = clinics[turn % 2].login(username, "wrong-password")
        assert answer.status == 401, answer.text
    return answer


def test_the_delay_grows_to_a_minute_and_is_the_same_for_a_name_that_nobody_has(guarded, redis):
    person = guarded[0].new("clinician")
    grown = {}
    for username in (person.username, "nobody"):
        forget(redis, "failures", "wait")
        fail(guarded, username, FREE, redis)
        assert lifetimes(redis, "wait") == []
        grown[username] = []
        for _ in range(8):
            fail(guarded, username, 1, redis)
            grown[username] += [round(left, -3) for left in lifetimes(redis, "wait")]
    assert grown[person.username] == [1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]
    assert grown["nobody"] == grown[person.username]
    assert all(14 * 60_000 < left <= 15 * 60_000 for left in lifetimes(redis, "failures"))
    assert person.username not in " ".join(redis("--scan"))


def test_meanwhile_right_and_wrong_and_unknown_are_told_the_same_everywhere(guarded, redis):
    person = guarded[0].new("clinician")
    names = (person.username, "nobody-at-all")
    for name in names:
        fail(guarded, name, FREE + 6, redis)
    forget(redis, "wait")
    for name in names:
        assert guarded[0].login(name, "wrong-password").status == 401
    answers = [
        clinic.login(name, password)
        for clinic in guarded
        for name in names
        for password in (person.password, "wrong-password")
    ]
    assert {answer.status for answer in answers} == {429}
    assert len({answer.text for answer in answers}) == 1
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
    assert all(0 < int(answer.headers["retry-after"]) <= 60 for answer in answers)
    # Others are not kept waiting, whatever address they ask from.
    assert guarded[0].new("clinician").ask("GET", "/v1/patients").status == 200
    assert "delayed" in guarded[0].service.request("/metrics", port=guarded[0].service.metrics_port).text
    forget(redis, "wait")
    assert guarded[1].login(person.username, person.password).status == 200
    assert guarded[1].login(person.username, "wrong-password").status == 401, "success forgets what failed before"


def test_of_many_guesses_at_once_few_are_told_whether_they_were_right(guarded, redis):
    person = guarded[0].new("clinician")
    fail(guarded, person.username, FREE + 6, redis)
    forget(redis, "wait")
    guesses = [(guarded[turn % 2], "wrong-password") for turn in range(20)]
    with ThreadPoolExecutor(20) as threads:
        told = [answer.status for answer in threads.map(lambda each: each[0].login(person.username, each[1]), guesses)]
    assert sorted(told) == [401] + [429] * 19


def test_a_right_password_that_was_sent_before_the_delay_began_is_not_told_in_it(guarded, redis):
    """Or the right one among many guesses at once would be."""
    clinic, person = guarded[0], guarded[0].new("clinician")
    forget(redis, "wait")
    fail(guarded, person.username, FREE + 1, redis)
    (name,) = redis("--scan", "--pattern", "wait:*")
    redis("del", name)
    holder = clinic.database.session("LOCK TABLE health.users")
    with ThreadPoolExecutor(1) as threads:
        login = threads.submit(clinic.login, person.username, person.password)
        while clinic.database.sql("SELECT count(*) FROM pg_locks WHERE NOT granted") == "0":
            assert not login.done()
        redis("set", name, "", "px", "60000")
        holder.communicate("COMMIT;")
    assert login.result().status == 429


def test_the_delay_ends_by_itself(guarded, redis):
    person = guarded[0].new("clinician")
    fail(guarded, person.username, FREE + 1, redis)
    refused = guarded[0].login(person.username, person.password)
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    deadline = time.monotonic() + 10
    while (answer := guarded[0].login(person.username, person.password)).status == 429:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert answer.status == 200


def test_guesses_of_a_code_and_of_the_current_password_count_as_well(guarded, redis):
    clinic = guarded[0]
    person = clinic.new("clinician")
    body = {"username": person.username, "code": "wrong", "new": "another-password"}
    change = {"current": "wrong-password", "new": "another-password"}
    assert person.tokens
    for turn in range(FREE + 1):
        if turn % 2:
            assert person.ask("POST", "/v1/auth/password", change).status == 403
        else:
            assert clinic.service.request("/v1/auth/password-reset", "POST", body=body).status == 401
    assert clinic.service.request("/v1/auth/password-reset", "POST", body=body).status == 429
    redis("--raw", "eval", "for _,k in ipairs(redis.call('keys','wait:*')) do redis.call('pexpire',k,60000) end", "0")
    right = {**change, "current": person.password}
    for wanted in (change, right):
        answer = person.ask("POST", "/v1/auth/password", wanted)
        assert (answer.status, answer.headers["content-type"]) == (429, "application/problem+json")
    assert clinic.login(person.username, person.password).status == 429


def test_an_account_is_counted_by_instances_that_differ_in_their_session_secret(migrated, run, serving, redis):
    """While the secret is replaced, the one has it first that the other has second."""
    run("seed", **PASSWORDS)
    secrets = ("a" * 40, "b" * 40)
    clinics = [
        Clinic(serving(SESSION_SECRET=one, SESSION_SECRET_ALSO_ACCEPTED=other), migrated, PASSWORDS)
        for one, other in (secrets, secrets[::-1])
    ]
    fail(clinics, "nobody", FREE + 3, redis)
    assert [clinic.login("nobody", "wrong-password").status for clinic in clinics] == [429, 429]


def test_the_figures_are_settings_and_no_delay_is_longer_than_a_minute(migrated, run, serving, redis):
    run("seed", **PASSWORDS)
    figures = {
        "LOGIN_FAILURES_WITHOUT_DELAY": "1",
        "LOGIN_DELAY_MAX_SECONDS": "3",
        "LOGIN_FAILURES_REMEMBERED_MINUTES": "2",
    }
    clinic = Clinic(serving(**figures), migrated, PASSWORDS)
    forget(redis, "failures", "wait")
    fail([clinic, clinic], "nobody", 5, redis)
    (wait,), (count,) = lifetimes(redis, "wait"), lifetimes(redis, "failures")
    assert 0 < wait <= 3000
    assert 60_000 < count <= 120_000
    refused = run("serve", LOGIN_DELAY_MAX_SECONDS="61")
    assert (refused.returncode, "LOGIN_DELAY_MAX_SECONDS" in refused.stderr) == (78, True)


def test_without_redis_nobody_logs_in_and_nothing_is_told(guarded, redis_server):
    server = redis_server[0]
    server.stop()
    try:
        answers = [guarded[0].login("verification", each) for each in ("wrong", PASSWORDS["VERIFICATION_PASSWORD"])]
    finally:
        server.start()
    assert [answer.status for answer in answers] == [503, 503]
    assert answers[0].text == answers[1].text
    assert answers[0].document["detail"] == "The redis cannot serve this now."
    begun = (
        "SELECT count(*) FROM health.refresh_families f JOIN health.users u ON u.id = user_id"
        " WHERE username = 'verification'"
    )
    assert guarded[0].database.sql(begun) == "0"
