"""What of the owner's is in the way of a service of ours, and whose the distribution's own one is."""

import subprocess

import pytest

from deploys.beside import as_foreign, pooler_conflicts, redis_conflicts
from deploys.marks import MANAGED
from deploys.packaged import REDIS
from deploys.paths import MARKS
from deploys.pooler import Pooler
from deploys.redis_server import RedisServer

STOCK = "# as its package brought it\n"


@pytest.fixture
def on_a_host(tmp_path):
    """A place with /etc, /var and dpkg's and systemd's words in it, where a survey is asked."""
    for place in ("etc/redis", "etc/pgbouncer", "var/log/redis", "var/log/postgresql", "bin"):
        (tmp_path / place).mkdir(parents=True)

    def ask(shell, installed="", conffiles="", enabled=(), active=()):
        programs = {
            "dpkg-query": f"case $* in *Conffiles*) printf '{conffiles}';; *) printf '{installed}';; esac",
            "systemctl": "for unit; do :; done; case $1 in is-enabled) set -- ENABLED;; *) set -- ACTIVE;; esac\n"
            'for one; do [ "$one" != "$unit" ] || exit 0; done; exit 1'.replace("ENABLED", " ".join(enabled)).replace(
                "ACTIVE", " ".join(active)
            ),
        }
        for name, text in programs.items():
            (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
            (tmp_path / "bin" / name).chmod(0o755)
        for place in ("/etc/", "/var/"):
            shell = shell.replace(place, f"{tmp_path}{place}")
        path = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
        done = subprocess.run(["sh", "-c", shell], env=path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.replace(str(tmp_path), "")

    ask.root = tmp_path
    return ask


def _put(ask, path, text=""):
    at = ask.root / path.lstrip("/")
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_text(text)


def _stock(ask):
    _put(ask, REDIS.configuration, STOCK)
    digest = subprocess.run(["md5sum"], input=STOCK, capture_output=True, text=True, check=True).stdout.split()[0]
    return f" {ask.root}{REDIS.configuration} {digest}\\n"


@pytest.mark.parametrize("status", ["", "un ", "rc "])
def test_a_package_that_nobody_has_is_not_foreign(on_a_host, status):
    assert on_a_host(REDIS.is_foreign, installed=status)[0] == 1


def test_a_service_that_once_ran_or_was_configured_is_its_owners(on_a_host):
    told = {"installed": "ii ", "conffiles": _stock(on_a_host)}
    assert on_a_host(REDIS.is_foreign, **told)[0] == 1, "installed where services do not start, and never looked at"
    assert on_a_host(REDIS.is_foreign, **told, active=[REDIS.unit])[0] == 0
    _put(on_a_host, REDIS.configuration, "port 7000\n")
    assert on_a_host(REDIS.is_foreign, **told)[0] == 0
    _stock(on_a_host)
    _put(on_a_host, REDIS.log, "it ran")
    assert on_a_host(REDIS.is_foreign, **told)[0] == 0
    assert on_a_host(REDIS.is_foreign, **{**told, "installed": "rc "})[0] == 1


def test_what_came_with_us_is_ours_until_it_is_off_and_then_belongs_to_whoever_uses_it(on_a_host):
    told = {"installed": "ii ", "conffiles": _stock(on_a_host)}
    _put(on_a_host, REDIS.log, "it ran when the host started, ahead of being turned off")
    _put(on_a_host, f"{MARKS}/{REDIS.mark}", "ours")
    assert on_a_host(REDIS.is_foreign, **told, active=[REDIS.unit])[0] == 1
    _put(on_a_host, f"{MARKS}/{REDIS.mark}", "off")
    assert on_a_host(REDIS.is_off, **told)[0] == 0
    assert on_a_host(REDIS.is_off, **told, enabled=[REDIS.unit])[0] == 1, "nobody has used it"
    assert on_a_host(REDIS.is_off, **told, enabled=[REDIS.unit], active=[REDIS.unit])[0] == 0
    _put(on_a_host, REDIS.configuration, "port 7000\n")
    assert on_a_host(REDIS.is_off, **told, enabled=[REDIS.unit])[0] == 0


def test_what_lies_at_our_places_is_in_the_way_unless_it_is_ours(on_a_host):
    survey = redis_conflicts(RedisServer(), 6379)
    assert on_a_host(survey)[1] == ""
    _put(on_a_host, "/etc/redis/redis-health-v1.conf", "port 6390\n")
    _put(on_a_host, "/var/lib/redis-health-v1/dump.rdb")
    places = ["place\t/etc/redis/redis-health-v1.conf", "place\t/var/lib/redis-health-v1"]
    assert on_a_host(survey)[1].splitlines() == places
    _put(on_a_host, "/etc/redis/redis-health-v1.conf", f"# {MANAGED}\n")
    assert on_a_host(survey)[1] == ""
    _put(on_a_host, "/etc/redis/redis-health-v1.conf", "port 6390\n")
    _put(on_a_host, f"{MARKS}/redis", "redis-server@health-v1")
    assert on_a_host(survey)[1] == ""


def test_a_redis_that_would_take_our_port_at_the_next_start_is_in_the_way(on_a_host):
    survey = redis_conflicts(RedisServer(), 6379)
    _put(on_a_host, REDIS.configuration, "bind 127.0.0.1\n")
    _put(on_a_host, "/etc/redis/redis-shop.conf", "Port 6379\n")
    _put(on_a_host, REDIS.log)
    units = (REDIS.unit, "redis-server@shop.service")
    told = on_a_host(survey, installed="ii ", enabled=units)[1]
    assert told.splitlines() == [f"port\t{unit}\t6379" for unit in units]
    assert on_a_host(survey, installed="ii ")[1] == "", "it does not start with the host"
    assert on_a_host(survey, installed="ii ", enabled=units, active=units)[1] == "", "its port is seen to be taken"
    assert on_a_host(redis_conflicts(RedisServer(), 6380), installed="ii ", enabled=units)[1] == ""


def test_a_pooler_that_would_take_our_port_at_the_next_start_is_in_the_way(on_a_host):
    survey = pooler_conflicts(Pooler(), 6432)
    _put(on_a_host, "/etc/pgbouncer/pgbouncer.ini", "[pgbouncer]\n;listen_port = 7000\n")
    told = {"installed": "ii ", "enabled": ["pgbouncer.service"]}
    assert on_a_host(survey, **told)[1] == "port\tpgbouncer.service\t6432\n"
    _put(on_a_host, "/etc/pgbouncer/pgbouncer.ini", "[pgbouncer]\nlisten_port=7000\n")
    assert on_a_host(survey, **told)[1] == ""
    _put(on_a_host, "/etc/pgbouncer/health-v1.ini", "[pgbouncer]\n")
    assert on_a_host(survey, **told)[1] == "place\t/etc/pgbouncer/health-v1.ini\n"


def test_what_is_in_the_way_is_named_with_its_way_out():
    lines = ["place\t/etc/redis/redis-health-v1.conf", "port\tredis-server.service\t6379"]
    place, port = as_foreign(lines, "redis-server@health-v1.service", "stack.redis_port")
    assert (place.thing, place.way_out) == (
        "redis-server@health-v1.service",
        "move /etc/redis/redis-health-v1.conf away",
    )
    assert port.thing == "port 6379"
    assert "stack.redis_port" in port.way_out
    assert "redis-server.service" in port.what
    assert not place.adoptable
    assert not port.adoptable
