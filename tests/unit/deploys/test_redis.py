"""Redis is told by hashes alone who may log in, and listens where it is needed."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploys.component import template
from deploys.faults import Refused
from deploys.redis.checks import checks
from deploys.redis.settings import Redis
from deploys.redis.users import acl_file, probe_login
from deploys.redis_server import RedisServer
from deploys.secret import Version
from deploys.stack import Stack
from tests.unit.known import Known, value

GIB = 2**30

STACK = Stack(domain="api.example.com").bind(Known())
PASSWORD = STACK.redis_password.reveal()


class _Says:
    """A secret of which this is the value."""

    def __init__(self, value):
        self._value = value

    def versions(self):
        return (Version(1, self._value),)


def _conf(**changed):
    values = {"settings": Redis(), "stack": STACK, "users": "/x.acl", "addresses": ("127.0.0.1",), "maxmemory": 64}
    values["server"] = RedisServer()
    lines = template("redis/redis.conf", **{**values, **changed})().splitlines()
    return dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))


def _users(**settings):
    lines = acl_file(Redis(**settings), STACK.redis_password).splitlines()
    return {words[1]: words[2:] for words in map(str.split, lines)}


def test_the_host_gets_the_apis_password_as_a_hash_alone():
    text = acl_file(Redis(), STACK.redis_password)
    assert PASSWORD not in text
    assert f"#{hashlib.sha256(PASSWORD.encode()).hexdigest()}" in _users()["default"]


def test_every_accepted_password_opens_and_the_file_is_the_same_whichever_is_active():
    first, second = (Stack(domain="api.example.com").bind(Known(numbers)) for numbers in ((1, 2), (2, 1)))
    text = acl_file(Redis(), first.redis_password)
    assert text == acl_file(Redis(), second.redis_password)
    for number in (1, 2):
        assert hashlib.sha256(value("redis_password", number).encode()).hexdigest() in text.splitlines()[0]
    for stack in (first, second):
        derived = probe_login(stack.redis_password).split()[2]
        assert hashlib.sha256(derived.encode()).hexdigest() in text.splitlines()[1]


@given(st.text(min_size=1))
def test_any_password_is_one_word_of_the_file(password):
    lines = acl_file(Redis(), _Says(password)).splitlines()
    assert [line.split()[4][:1] for line in lines] == ["#", "#"]
    assert all(line.isascii() for line in lines)


def test_the_probe_logs_in_with_a_password_of_its_own():
    _, user, password = probe_login(STACK.redis_password).split()
    assert f"#{hashlib.sha256(password.encode()).hexdigest()}" in _users()[user]
    assert PASSWORD not in password


def test_nobody_may_administer_and_the_probe_reaches_one_key():
    users = _users()
    for words in users.values():
        assert words[:2] == ["reset", "on"]
        assert "nopass" not in words
    assert {"-@admin", "-@dangerous", "-@scripting"} <= set(users["default"])
    assert users["probe"][3:] == ["~health-v1:probe", "-@all", "+ping", "+info", "+set", "+get", "+del", "+acl|load"]
    assert "-@scripting" not in _users(scripting=True)["default"]


@pytest.mark.parametrize(("memory", "share"), [(8 * GIB, 512), (GIB // 2, 64), (64 * GIB, 4096)])
def test_memory_follows_from_the_hosts(memory, share):
    assert Redis().maxmemory(memory) == share
    assert Redis(memory=100).maxmemory(memory) == 100


def test_the_configuration_says_what_the_settings_say():
    conf = _conf()
    assert (conf["bind"], conf["port"], conf["protected-mode"]) == ("127.0.0.1", "6379", "yes")
    assert (conf["maxmemory"], conf["maxmemory-policy"]) == ("64mb", "volatile-ttl")
    assert (conf["aclfile"], conf["appendonly"], conf["save"]) == ("/x.acl", "yes", '""')
    other = _conf(settings=Redis(persist=False, eviction="noeviction"), addresses=("127.0.0.1", "10.0.0.1"))
    assert (other["appendonly"], other["maxmemory-policy"]) == ("no", "noeviction")
    assert other["bind"] == "127.0.0.1 10.0.0.1"


@pytest.mark.parametrize("changed", [{"memory": 1}, {"eviction": "random"}, {"persist": "perhaps"}])
def test_a_wrong_value_is_refused_by_name(changed):
    with pytest.raises(Refused, match=next(iter(changed))):
        Redis(**changed)


def test_checks_carry_no_password():
    derived = probe_login(STACK.redis_password).split()[2]
    commands = "".join(
        check.command for check in checks(RedisServer(), STACK, ("127.0.0.1", "fd00::1"), 64, persist=True)
    )
    assert PASSWORD not in commands
    assert derived not in commands
    assert "'127.0.0.1:6379 [fd00::1]:6379 '" in commands


def test_a_new_host_has_an_instance_of_ours_beside_the_distributions():
    conf = _conf()
    assert conf["dir"] == "/var/lib/redis-health-v1"
    assert (conf["pidfile"], conf["logfile"]) == (
        "/run/redis-health-v1/redis-server.pid",
        "/var/log/redis/redis-server-health-v1.log",
    )
    server = RedisServer.from_marks({"cluster": "main"})
    assert (server.unit, server.configuration) == ("redis-server@health-v1.service", "/etc/redis/redis-health-v1.conf")


def test_a_host_that_took_the_distributions_keeps_it_to_the_letter():
    server = RedisServer.from_marks({"redis": "redis-server"})
    conf = _conf(server=server)
    assert (server.unit, server.configuration, conf["dir"]) == (
        "redis-server.service",
        "/etc/redis/redis.conf",
        "/var/lib/redis",
    )
    hardening = template("redis/health-v1.conf", stack=STACK, server=server, login="/l", accepted="/a")()
    assert "\nReadWritePaths=-/var/lib/redis -/var/log/redis -/run/redis\n" in hardening
    assert server.program == ()  # its stamp knows of no program: nothing would be restarted with it


@pytest.mark.parametrize("persist", [True, False])
def test_the_other_choice_differs_in_one_line(persist):
    settings = Redis(persist=persist)
    other = settings.model_copy(update={"persist": not persist})
    differing = set(_conf(settings=settings).items()) ^ set(_conf(settings=other).items())
    assert differing == {("appendonly", "yes"), ("appendonly", "no")}
