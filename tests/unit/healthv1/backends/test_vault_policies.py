"""Each shipped policy lets its work succeed, grants nothing that the work does not need, and nothing beside it."""

import re

import pytest
import requests

from deploys.secret import Secret
from healthv1.errors import SecretsError
from healthv1.secrets.entry import Entry
from healthv1.secrets.vault import Token

SECRETS = (Secret("jwt", 64), Secret("master_key", 32))


def _read(backend):
    assert backend.entry("kept")
    assert "kept" in backend.names()


def _deploy(backend):
    _read(backend)
    assert backend.missing(SECRETS) == SECRETS
    backend.store(SECRETS)
    assert {"jwt", "kept", "master_key"} == set(backend.names())


def _rotate(backend):
    _deploy(backend)
    backend.change("kept", lambda found: found.staged("two"))
    backend.change("kept", lambda found: found.promoted())
    backend.change("kept", lambda found: found.retired(keep=False))
    backend.change("kept", lambda found: found.settled())


WORK = {"read": _read, "deploy": _deploy, "rotate": _rotate}


@pytest.fixture
def holding(in_openbao, tmp_path):
    """Return a function that gives a backend whose token may do what a policy says and no more."""
    in_openbao.backend().change("kept", lambda _: Entry.first("one"))

    def backend(policy):
        (tmp_path / "narrow").write_text(in_openbao.server.token(policy))
        return in_openbao.backend(auth=Token(tmp_path / "narrow"))

    return backend


@pytest.mark.parametrize("name", WORK)
def test_its_work_succeeds_with_it(holding, in_openbao, name):
    WORK[name](holding(in_openbao.backend().policy(name)))


def _reduced(policy):
    """Yield the policy with one of its capabilities taken away, for each."""
    for found in re.finditer(r'"(create|read|update|list)"', policy):
        kept = policy[: found.start()] + policy[found.end() :]
        yield found[1], re.sub(r"\[, |, (?=,)|, (?=\])", lambda match: match[0].strip(", "), kept).replace("[,", "[")


@pytest.mark.parametrize("name", WORK)
def test_its_work_fails_without_any_one_of_its_capabilities(holding, in_openbao, name):
    policy = in_openbao.backend().policy(name)
    taken = []
    for capability, reduced in _reduced(policy):
        assert len(reduced) < len(policy)
        with pytest.raises(SecretsError, match="Permission was denied"):
            WORK[name](holding(reduced))
        taken.append(capability)
        for secret in SECRETS:  # the next begins as this one did
            in_openbao.server.call("DELETE", f"health-v1/metadata/{in_openbao.settings['path']}/{secret.key}")
    assert sorted(taken) == {"read": ["list", "read"], "deploy": ["create", "list", "read"]}.get(
        name, ["create", "list", "read", "update"]
    )


def _beside(path):
    """Return what no policy of ours may allow: the verb, the path and the body of a request."""
    data, metadata = f"health-v1/data/{path}/kept", f"health-v1/metadata/{path}/kept"
    body = {"data": {"value": "overwritten"}}
    return [
        ("DELETE", data, None),
        ("PATCH", data, body),
        ("POST", f"health-v1/delete/{path}/kept", {"versions": [1]}),
        ("POST", f"health-v1/undelete/{path}/kept", {"versions": [1]}),
        ("POST", f"health-v1/destroy/{path}/kept", {"versions": [1]}),
        ("DELETE", metadata, None),
        ("GET", metadata, None),
        ("POST", metadata, {"max_versions": 1}),
        ("GET", f"health-v1/subkeys/{path}/kept", None),
        ("GET", "health-v1/data/other/kept", None),
        ("POST", "health-v1/data/other/new", body),
        ("GET", f"health-v1/data/{path}x/kept", None),
        ("POST", f"health-v1/data/{path}x/new", body),
        ("GET", f"health-v1/data/{path}", None),
        ("LIST", "health-v1/metadata/", None),
        ("LIST", "health-v1/metadata/other/", None),
        ("LIST", f"health-v1/metadata/{path}/below/", None),
        ("GET", "health-v1/config", None),
        ("POST", "health-v1/config", {"max_versions": 1}),
        ("GET", "sys/mounts", None),
        ("POST", "sys/mounts/more", {"type": "kv"}),
        ("DELETE", "sys/mounts/health-v1", None),
        ("POST", "sys/mounts/health-v1/tune", {"max_lease_ttl": "1h"}),
        ("LIST", "sys/policies/acl", None),
        ("POST", "sys/policies/acl/only", {"policy": 'path "*" { capabilities = ["sudo"] }'}),
        ("GET", "sys/auth", None),
        ("POST", "sys/auth/more", {"type": "approle"}),
        ("GET", "sys/audit", None),
        ("PUT", "sys/seal", {}),
        ("POST", "sys/namespaces/more", {}),
        ("POST", "auth/token/create", {}),
        ("POST", "auth/token/create-orphan", {}),
        ("LIST", "auth/token/accessors", None),
        ("POST", "identity/entity", {"name": "more"}),
        ("GET", "cubbyhole/x", None),
    ]


@pytest.mark.parametrize("name", WORK)
def test_what_lies_beside_it_is_refused(holding, in_openbao, name):
    server, path = in_openbao.server, in_openbao.settings["path"]
    backend = holding(in_openbao.backend().policy(name))
    server.call("POST", "health-v1/data/other/kept", data={"value": "of another environment"})
    tried = _beside(path)
    if name in ("read", "deploy"):
        tried.append(("POST", f"health-v1/data/{path}/kept", {"data": {"value": "overwritten"}}))
    if name == "read":
        tried.append(("POST", f"health-v1/data/{path}/new", {"data": {"value": "created"}}))
    for verb, where, body in tried:
        headers = {"X-Vault-Token": backend._client().token, "Content-Type": "application/merge-patch+json"}
        answer = requests.request(verb, f"{server.address}/v1/{where}", json=body, headers=headers, timeout=5)
        assert answer.status_code == 403, f"{verb} {where}: {answer.status_code} {answer.text}"
    assert in_openbao.backend().entry("kept").current.value == "one"


def test_nothing_that_was_deleted_can_be_made_anew_with_deploy(holding, in_openbao):
    server, path = in_openbao.server, in_openbao.settings["path"]
    server.call("DELETE", f"health-v1/data/{path}/kept")
    backend = holding(in_openbao.backend().policy("deploy"))
    for check in (0, 1):
        answer = requests.post(
            f"{server.address}/v1/health-v1/data/{path}/kept",
            json={"data": {"value": "made anew"}, "options": {"cas": check}},
            headers={"X-Vault-Token": backend._client().token},
            timeout=5,
        )
        assert answer.status_code == 403


def test_a_policy_that_is_not_shipped_is_refused_with_the_known_ones(in_openbao):
    with pytest.raises(SecretsError, match="known: deploy, rotate, read"):
        in_openbao.backend().policy("root")
