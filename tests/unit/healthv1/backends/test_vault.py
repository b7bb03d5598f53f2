"""What only Vault and OpenBao do: their states, their mounts, their deleted versions, one connection."""

import json
import os
import socket
import subprocess
import time

import pytest
import requests

from deploys.secret import Secret
from healthv1.output.redaction import redactor
from healthv1.secrets.entry import Entry
from healthv1.secrets.vault import Token, Vault
from healthv1.secrets.vault.backend import TIMEOUT
from tests.unit.healthv1.backends.servers import BAO, ROOT, OpenBao, free_port

SECRETS = (Secret("jwt", 64), Secret("master_key", 32))


@pytest.fixture
def vault(in_openbao):
    """Return a function that gives another backend of the same, fresh path."""
    return in_openbao.backend


@pytest.fixture
def path(in_openbao):
    return in_openbao.settings["path"]


def _token(tmp_path, text):
    (tmp_path / "other-token").write_text(text)
    return Token(file=tmp_path / "other-token")


def _missing(backend):
    return lambda: backend.missing(SECRETS)


def test_the_connection_and_the_login_serve_the_whole_run(vault, in_openbao, monkeypatch):
    vault().store(tuple(Secret(f"key{number}", 32) for number in range(12)))
    asked, request = [], requests.Session.request
    count = lambda self, *args, **more: asked.append(more["url"]) or request(self, *args, **more)  # noqa: E731
    monkeypatch.setattr(requests.Session, "request", count)
    backend = vault()
    for number in range(6):
        backend.entry(f"key{number}")
    backend.change("key0", lambda found: found.replaced("another"))
    assert (len(asked), _connections(backend)) == (7, 1)
    backend.entries(f"key{number}" for number in range(12))
    assert len(asked) == 14
    assert _connections(backend) <= 4


def _connections(backend):
    """Return how many were ever made."""
    managers = (adapter.poolmanager for adapter in backend._client().session.adapters.values())
    return sum(pool.num_connections for manager in managers for pool in manager.pools._container.values())


def test_a_reference_names_mount_path_and_key():
    assert str(Secret("jwt", backend=Vault("http://127.0.0.1:1", "production"))) == "vault:health-v1/production#jwt"
    assert str(Vault("http://127.0.0.1:1", "production", namespace="team")) == "vault:team/health-v1/production"


def test_a_deleted_secret_is_to_be_brought_back_and_not_made_anew(vault, path, openbao, said):
    vault().store(SECRETS)
    first = SECRETS[0].bind(vault()).reveal()
    openbao.call("DELETE", f"health-v1/data/{path}/jwt")
    fault = said(_missing(vault()), f"{path}#jwt: Its version 1 was deleted", "bao kv undelete -mount=health-v1")
    command = fault.hint.partition("bao ")[2].split()
    subprocess.run([BAO, *command], env={**os.environ, "VAULT_ADDR": openbao.address, "VAULT_TOKEN": ROOT}, check=True)
    assert SECRETS[0].bind(vault()).reveal() == first
    openbao.call("PUT", f"health-v1/destroy/{path}/jwt", versions=[1])
    said(_missing(vault()), "version 1 was destroyed", "escrow")


def test_what_was_overwritten_by_hand_is_brought_back_as_the_hint_says(vault, path, openbao, said):
    vault().store(SECRETS)
    openbao.call("POST", f"health-v1/data/{path}/jwt", data={"oops": "precious-value"})
    fault = said(_missing(vault()), f"{path}#jwt: What the backend holds there is not what we keep")
    command = fault.hint.partition("bao ")[2].replace("=N", "=1").split()
    subprocess.run([BAO, *command], env={**os.environ, "VAULT_ADDR": openbao.address, "VAULT_TOKEN": ROOT}, check=True)
    assert vault().missing(SECRETS) == ()


def test_a_folder_below_is_no_secret(vault, path, openbao):
    vault().store(SECRETS)
    openbao.call("POST", f"health-v1/data/{path}/below/other", data={"value": "x"})
    assert vault().names() == ("jwt", "master_key")


def test_a_wrong_token_is_refused_and_not_shown(vault, tmp_path, said):
    backend = vault(auth=_token(tmp_path, "s.some-wrong-token\n"))
    fault = said(_missing(backend), "Permission was denied", "expired, was revoked", f"{backend} at http")
    assert "some-wrong-token" not in str(fault)


@pytest.mark.parametrize("ends", ["expires", "is revoked"])
def test_a_token_that_ends_during_a_run_is_told_from_a_missing_permission(vault, tmp_path, openbao, said, ends):
    made = openbao.call("POST", "auth/token/create", ttl="1s" if ends == "expires" else "1h")["auth"]["client_token"]
    backend = vault(auth=_token(tmp_path, made))
    assert backend.missing(SECRETS) == SECRETS
    if ends == "expires":
        time.sleep(1.5)
    else:
        openbao.call("POST", "auth/token/revoke", token=made)
    said(lambda: backend.store(SECRETS), "the token has expired, was revoked", "log in anew")


def test_a_missing_permission_is_named_for_each_secret_at_once(vault, path, openbao, tmp_path, refusal):
    vault().store(SECRETS)
    reading = f'path "health-v1/data/{path}/*" {{ capabilities = ["read"] }}'
    denied = "".join(f'path "health-v1/data/{path}/{key}" {{ capabilities = ["deny"] }}\n' for key in ("b", "c"))
    reader = vault(auth=_token(tmp_path, openbao.token(reading + denied)))
    assert reader.missing(SECRETS) == ()
    faults = refusal(lambda: reader.missing((*SECRETS, Secret("b", 32), Secret("c", 32))))
    assert {fault.where for fault in faults} == {f"vault:health-v1/{path}#b", f"vault:health-v1/{path}#c"}
    assert f"`read` on health-v1/data/{path}/b" in str(faults)
    faults = refusal(lambda: reader.store((Secret("d", 32), Secret("e", 32))))
    assert {fault.where for fault in faults} == {f"vault:health-v1/{path}#d", f"vault:health-v1/{path}#e"}
    assert f"`create` on health-v1/data/{path}/d" in str(faults)
    [fault] = refusal(lambda: reader.change("jwt", lambda found: found.staged("x")))
    assert f"`update` on health-v1/data/{path}/jwt" in str(fault)
    [fault] = refusal(reader.names)
    assert f"`list` on health-v1/metadata/{path}/" in str(fault)


@pytest.mark.parametrize("content", [None, ""])
def test_a_token_file_without_a_token_is_named(vault, tmp_path, said, content):
    if content is not None:
        (tmp_path / "none").write_text(content)
    said(_missing(vault(auth=Token(file=tmp_path / "none"))), "There is no token", str(tmp_path / "none"))


def test_the_token_comes_from_the_environment_else_from_the_last_login(vault, monkeypatch, tmp_path, said):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("VAULT_TOKEN", raising=False)
    said(_missing(vault(auth=None)), "There is no token", "bao login")
    (tmp_path / ".vault-token").write_text(ROOT)
    assert vault(auth=None).missing(SECRETS) == SECRETS
    monkeypatch.setenv("VAULT_TOKEN", "s.another-wrong-token")
    said(_missing(vault(auth=None)), "Permission was denied")
    assert "another-wrong-token" not in redactor.redact("<s.another-wrong-token>")


def test_a_mount_that_is_not_there_is_no_reason_to_generate(vault, said):
    said(_missing(vault(mount="nowhere")), "There is no mount nowhere", "bao secrets enable -path=nowhere kv-v2")
    said(vault(mount="nowhere").names, "There is no mount nowhere")


def test_a_store_without_versions_is_refused(vault, openbao, said):
    openbao.call("POST", "sys/mounts/unversioned", type="kv", options={"version": "1"})
    said(_missing(vault(mount="unversioned")), "not a KV store of version 2")
    said(vault(mount="unversioned").names, "not a KV store of version 2")
    openbao.call("DELETE", "sys/mounts/unversioned")


def test_a_backend_that_is_down_is_said_to_be_within_seconds(vault, said):
    started = time.monotonic()
    said(
        _missing(vault(address="http://127.0.0.1:9")), "vault:health-v1/test", "http://127.0.0.1:9", "cannot be reached"
    )
    assert time.monotonic() - started < 6


def test_a_backend_that_hangs_is_given_up(vault, said, monkeypatch):
    assert TIMEOUT == 5
    monkeypatch.setattr("healthv1.secrets.vault.backend.TIMEOUT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        backend = vault(address=f"http://127.0.0.1:{deaf.getsockname()[1]}")
        said(_missing(backend), "cannot be reached (ReadTimeout)")


def test_something_else_at_the_address_is_no_vault(vault, openbao, said):
    said(_missing(vault(address=f"{openbao.address}/ui")), "vault:health-v1/test")


def test_a_sealed_backend_is_said_to_be_sealed(tmp_path, said):
    own = OpenBao()
    try:
        own.ready().call("PUT", "sys/seal")
        said(_missing(Vault(own.address, "x", auth=_token(tmp_path, ROOT))), "It is sealed", "bao operator unseal")
    finally:
        own.stop()


@pytest.fixture
def cluster(tmp_path):
    """Return two nodes of one cluster: an active one and its standby."""
    nodes = []
    try:
        for name in "ab":
            port, more = free_port(), free_port()
            address, between = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{more}"
            (tmp_path / name).mkdir()
            listener = {"address": f"127.0.0.1:{port}", "cluster_address": f"127.0.0.1:{more}", "tls_disable": True}
            storage = {"path": str(tmp_path / name), "node_id": name, "performance_multiplier": 1}
            configuration = {"api_addr": address, "cluster_addr": between, "listener": {"tcp": listener}}
            (tmp_path / f"{name}.json").write_text(json.dumps({**configuration, "storage": {"raft": storage}}))
            nodes.append(OpenBao(tmp_path / f"{name}.json", address))
        active, standby = nodes
        active.initialize()
        standby.join(active)
        yield active, standby
    finally:
        for node in nodes:
            node.stop()


def test_a_standby_answers_for_the_active_node_or_names_it(cluster, tmp_path, said):
    active, standby = cluster
    active.until(lambda: active.call("POST", "sys/mounts/health-v1", type="kv", options={"version": "2"}))
    standby.until(lambda: standby.call("GET", "sys/mounts"))
    token = _token(tmp_path, active.root)
    Vault(standby.address, "x", auth=token).store(SECRETS)
    detour = Vault(standby.address, "x", auth=token)
    detour._client().session.headers["X-Vault-No-Request-Forwarding"] = "true"
    said(lambda: detour.store((Secret("another", 32),)), f"It is a standby, and refers us to {active.address}")


def test_no_error_shows_a_value(vault, refusal):
    vault().store(SECRETS)
    backend = vault()
    value = SECRETS[0].bind(backend).reveal()
    backend._client().token = "s.wrong-from-now-on"
    faults = refusal(lambda: backend.store((*SECRETS, Secret("another", 32))))
    shown = json.dumps([str(fault) for fault in faults] + [repr(backend), repr(backend.entry("jwt"))])
    assert value not in shown
    assert "wrong-from" not in shown


def test_of_two_that_create_the_loser_may_be_allowed_to_create_alone(vault, path, openbao, tmp_path):
    token = _token(tmp_path, openbao.token(f'path "health-v1/data/{path}/*" {{ capabilities = ["create", "read"] }}'))
    winner, loser = vault(auth=token), vault(auth=token)
    assert loser.missing(SECRETS) == SECRETS
    winner.store(SECRETS)
    loser.store(SECRETS)
    assert loser.entry("jwt") == winner.entry("jwt")
    assert isinstance(loser.entry("jwt"), Entry)
