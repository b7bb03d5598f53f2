"""The servers around the hosts get their secrets from files, or where a program has none, from its environment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.x509 import DNSName, IPAddress, SubjectAlternativeName, load_pem_x509_certificate

from healthv1.sandbox import Sandbox, addresses
from healthv1.sandbox.addresses import S3_NAME, Addresses
from healthv1.sandbox.servers import acme, locked_s3, openbao, s3, server


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    monkeypatch.setenv("HEALTHV1_STATE", str(tmp_path))
    return Sandbox("unit")


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[list[str], dict[str, str]]]:
    """Record what would be started instead of starting it."""
    found: dict[str, tuple[list[str], dict[str, str]]] = {}

    def start(_: Sandbox, name: str, argv: list[str], environment: dict[str, str] | None = None) -> None:
        found[name] = (argv, environment or {})

    monkeypatch.setattr(server, "start", start)
    return found


def test_the_s3_key_is_in_a_private_file_and_in_no_argument(sandbox, commands):
    s3.start(sandbox, Addresses(3))
    path = server.directory(sandbox, s3.NAME) / "key.json"
    key = json.loads(path.read_text())
    argv, environment = commands[s3.NAME]
    assert key["secret_access_key"] not in " ".join(argv)
    assert key["secret_access_key"] in environment["RCLONE_AUTH_KEY"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_s3_key_outlives_a_restart(sandbox, commands):
    s3.start(sandbox, Addresses(3))
    first = commands.pop(s3.NAME)
    s3.start(sandbox, Addresses(3))
    assert commands[s3.NAME] == first


def test_s3_speaks_tls_under_the_name_that_hosts_know_it_by(sandbox, commands):
    s3.start(sandbox, Addresses(3))
    argv, _ = commands[s3.NAME]
    certificate = load_pem_x509_certificate(Path(argv[argv.index("--cert") + 1]).read_bytes())
    named = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    assert named.get_values_for_type(DNSName) == [S3_NAME]
    gateways = {str(address) for address in named.get_values_for_type(IPAddress)}
    assert gateways == {Addresses(3).gateway, Addresses(3).gateway6}
    assert argv[argv.index("--key") + 1] == str(server.directory(sandbox, s3.NAME) / "key.pem")


def test_an_s3_that_an_earlier_version_started_without_tls_is_started_anew(sandbox, commands, monkeypatch):
    monkeypatch.setattr(server, "alive", lambda *_: s3.NAME not in stopped)
    stopped: list[str] = []
    monkeypatch.setattr(server, "stop", lambda _, name: stopped.append(name))
    s3.start(sandbox, Addresses(3))
    assert stopped == [s3.NAME]
    assert s3.NAME in commands


def test_the_locked_s3_has_a_private_key_for_each_identity_and_none_in_an_argument(sandbox, commands):
    locked_s3.start(sandbox, Addresses(3))
    argv, environment = commands[locked_s3.NAME]
    place = server.directory(sandbox, locked_s3.NAME)
    identities = json.loads((place / "identities.json").read_text())["identities"]
    assert (place / "identities.json").stat().st_mode & 0o777 == 0o600
    assert [identity["name"] for identity in identities] == ["admin", "host", "reader"]
    for identity in identities:
        key_file = place / f"{identity['name']}.json"
        (credentials,) = identity["credentials"]
        assert json.loads(key_file.read_text())["secret_access_key"] == credentials["secretKey"]
        assert key_file.stat().st_mode & 0o777 == 0o600
        assert credentials["secretKey"] not in " ".join(argv)
    assert not environment


def test_the_locked_s3s_owner_alone_administers_and_its_readers_do_not_write(sandbox, commands):
    locked_s3.start(sandbox, Addresses(3))
    text = (server.directory(sandbox, locked_s3.NAME) / "identities.json").read_text()
    actions = {identity["name"]: identity["actions"] for identity in json.loads(text)["identities"]}
    assert "Admin" in actions["admin"]
    assert actions["host"] == ["Read:locked", "Write:locked", "List:locked"]
    assert actions["reader"] == ["Read:locked", "List:locked"]


def test_the_locked_s3_outlives_a_restart_with_the_same_keys(sandbox, commands):
    locked_s3.start(sandbox, Addresses(3))
    identities = server.directory(sandbox, locked_s3.NAME) / "identities.json"
    first = identities.read_text()
    locked_s3.start(sandbox, Addresses(3))
    assert identities.read_text() == first


def test_no_two_sandboxes_have_a_port_of_the_locked_s3_in_common(sandbox, commands):
    taken = [
        port + grpc
        for number in addresses.NUMBERS
        for port in locked_s3._ports(Addresses(number)).values()
        for grpc in (0, locked_s3._TO_GRPC)
    ]
    assert len(taken) == len(set(taken))
    assert max(taken) < 32768  # from there on the kernel lends ports to whoever connects


def test_the_locked_s3_belongs_to_a_sandbox_from_when_it_was_asked_for(sandbox):
    assert not locked_s3.asked_for(sandbox)
    locked_s3.ask_for(sandbox)
    assert locked_s3.asked_for(sandbox)


def test_openbao_listens_on_loopback_and_is_told_no_token(sandbox, commands):
    openbao.start(sandbox)
    argv, environment = commands[openbao.NAME]
    configuration = json.loads((server.directory(sandbox, openbao.NAME) / "config.json").read_text())
    assert configuration["listener"]["tcp"]["address"].startswith("127.0.0.1:")
    assert not environment
    assert argv[1] == "server"
    assert "-dev" not in argv


def test_every_name_leads_the_acme_servers_checks_to_the_edge_host(sandbox, commands):
    acme.start(sandbox, Addresses(3), edge=2)
    argv, _ = commands[acme.RESOLVER]
    assert argv[argv.index("-defaultIPv4") + 1] == Addresses(3).host(2)
    assert argv[argv.index("-defaultIPv6") + 1] == Addresses(3).host6(2)


def test_the_acme_server_checks_on_the_ports_that_the_world_uses(sandbox, commands):
    acme.start(sandbox, Addresses(3), edge=1)
    configuration = json.loads((server.directory(sandbox, acme.NAME) / "config.json").read_text())["pebble"]
    assert (configuration["httpPort"], configuration["tlsPort"]) == (80, 443)
    assert configuration["listenAddress"].startswith(Addresses(3).gateway)
