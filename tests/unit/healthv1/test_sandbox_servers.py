"""The servers around the hosts get their secrets from files, or where a program has none, from its environment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from healthv1.sandbox import Sandbox
from healthv1.sandbox.addresses import Addresses
from healthv1.sandbox.servers import acme, openbao, s3, server


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
