"""A port of ours that somebody else has is told with its owner and the setting that names it."""

import os
import shutil
import socket
import subprocess

import pytest

from deploys.facts.listeners import Listeners
from deploys.ports import Listener, PortClaim, port_claims, port_conflicts
from deploys.stack import Stack, Topology

ALONE = Topology.seen_from("10.0.0.1", {part: ["10.0.0.1"] for part in ("database", "api", "edge")})
PARTS = ("database", "api", "edge")
STACK = Stack(domain="api.example.com")
CLAIMS = tuple(port_claims(STACK, ALONE, PARTS, 8008))
APP = "owners-app.service"


def _taken(port, address="0.0.0.0", claims=CLAIMS):
    return list(port_conflicts(claims, [Listener(port, address, "python3", APP)]))


def test_every_port_that_our_parts_listen_on_is_claimed_and_no_other():
    ports = {5432, 6379, 6432, 8080, 8081, 9080, 9081, 80, 443, 8008}
    assert {claim.port for claim in CLAIMS} == ports
    assert {claim.port for claim in port_claims(STACK, ALONE, ("edge",), 8009)} == {80, 443, 8009}
    assert list(port_claims(STACK, ALONE, ("monitoring",), 8008)) == []


@pytest.mark.parametrize(
    ("port", "setting"),
    [
        (5432, "stack.postgresql_port"),
        (6379, "stack.redis_port"),
        (6432, "stack.pooler_port"),
        (8081, "stack.instances"),
        (9080, "stack.metrics_offset"),
        (8008, "nginx.status_port"),
        (443, "move it to another port"),
    ],
)
def test_a_taken_port_is_told_with_who_has_it_and_the_way_out(port, setting):
    (found,) = _taken(port)
    assert found.thing == f"port {port}"
    assert not found.adoptable
    assert "python3 (owners-app.service)" in found.what
    assert setting in found.fault("host1").hint


@pytest.mark.parametrize("address", ["*", "0.0.0.0", "127.0.0.1"])
def test_addresses_that_meet_ours_are_in_the_way(address):
    assert _taken(8080, address)


@pytest.mark.parametrize("address", ["127.0.0.2", "::1", "::", "10.0.0.1"])
def test_others_are_not(address):
    assert not _taken(8080, address)


def test_a_site_is_for_everybody_and_a_database_for_the_other_hosts_too():
    assert _taken(80, "192.0.2.1")
    assert _taken(443, "2001:db8::1")
    assert _taken(5432, "10.0.0.1")
    assert not _taken(5432, "127.0.0.2")


def test_a_port_with_several_listeners_is_told_once():
    both = [Listener(80, "0.0.0.0", "apache2", "apache2.service"), Listener(80, "::", "apache2", "apache2.service")]
    (found,) = port_conflicts(CLAIMS, both)
    assert found.what == "apache2 (apache2.service) has it."


def test_a_port_that_is_free_is_proposed():
    def proposed(port, busy):
        (found,) = port_conflicts(CLAIMS, [Listener(port, "0.0.0.0", "python3", APP)], busy)
        return found.fault("host1").hint

    assert "set stack.postgresql_port to what is free, such as 5433, in group_data" in proposed(5432, {22, 5432})
    assert "such as 5435," in proposed(5432, {5432, 5433, 5434})
    assert "such as 6380," in proposed(6379, {6379})
    assert "such as" not in proposed(9080, {9080}), "an offset is no port"


def test_the_distributions_units_are_ours_where_a_mark_says_so():
    def units(port, **marks):
        return next(claim.units(marks) for claim in CLAIMS if claim.port == port)

    assert units(5432) == ()
    assert units(5432, cluster="main") == ("postgresql@*-main.service",)
    assert units(6379) == ("redis-server@health-v1.service",)
    assert units(6379, redis="redis-server") == ("redis-server@health-v1.service", "redis-server.service")
    assert units(6432, pgbouncer="pgbouncer")[-1] == "pgbouncer.service"
    assert units(8080) == ("health-v1-api@*.service",)


@pytest.mark.skipif(not shutil.which("ss"), reason="iproute2 is not here")
def test_a_program_that_listens_is_found_and_one_that_is_ours_is_not():
    with socket.socket() as own, socket.socket() as other:
        for one in (own, other):
            one.bind(("127.0.0.1", 0))
            one.listen()
        ports = [one.getsockname()[1] for one in (own, other)]
        claims = [PortClaim(port, "us", ("127.0.0.1",)) for port in ports[:1]]

        def told(*claims):
            command = Listeners().command(claims, {}).get_raw_value()
            done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
            return Listeners().process(done.stdout.splitlines())

        (listener,) = told(*claims).rivals
        assert set(ports) <= told(*claims).used_ports
        assert (listener.port, listener.address) == (ports[0], "127.0.0.1")
        assert listener.program.startswith(("python", "pytest"))
        assert listener.owner.endswith(".service") or listener.owner == f"process {os.getpid()}"
        assert told(PortClaim(ports[0], "us", ("127.0.0.1",), "*")) == ((), frozenset())
        assert told(PortClaim(ports[0], "us", ("127.0.0.1",), "*", required_files="/nothing/there")).rivals == (
            listener,
        )


@pytest.mark.parametrize(("pids", "owner"), [((1 << 30, os.getpid()), True), ((1 << 30,), False)])
def test_a_child_that_had_the_socket_and_ended_is_nobody_to_be_named(tmp_path, monkeypatch, pids, owner):
    users = ",".join(f'("server",pid={pid},fd=6)' for pid in pids)
    (tmp_path / "ss").write_text(f"#!/bin/sh\necho 'LISTEN 0 5 127.0.0.1:5432 0.0.0.0:* users:({users})'\n")
    (tmp_path / "ss").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    command = Listeners().command([PortClaim(5432, "us", ("127.0.0.1",))], {}).get_raw_value()
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    rivals = Listeners().process(done.stdout.splitlines()).rivals
    assert [rival.program for rival in rivals] == (["server"] if owner else [])
    assert not [rival for rival in rivals if str(1 << 30) in rival.owner]
