"""Each way to log in to OpenBao, for real: with certificates, signed identities, roles, and in a namespace."""

import base64
import json
import time

import pytest
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from deploys.secret import Secret
from healthv1.output.redaction import redactor
from healthv1.secrets.vault import AppRole, Certificate, Jwt, Kubernetes, Token, Vault
from tests.unit.healthv1.backends.authority import Authority
from tests.unit.healthv1.backends.servers import OpenBao, free_port

SECRETS = (Secret("jwt", 64), Secret("master_key", 32))


def _grant(server, path, namespace=""):
    server.call("PUT", "sys/policies/acl/deploying", namespace, policy=Vault("", path).policy("deploy"))


def _works(backend):
    backend.store(SECRETS)
    assert backend.missing(SECRETS) == ()
    assert backend.names() == ("jwt", "master_key")
    assert backend._client().token not in redactor.redact(backend._client().token)


def _refused(refusal, backend, *words):
    [fault] = refusal(lambda: backend.missing(SECRETS))
    for word in words:
        assert word in str(fault), str(fault)
    return fault


@pytest.fixture
def approle(openbao, in_openbao, tmp_path):
    """Return the settings of a role with a secret id that is for two logins."""
    mount = f"approle-{time.monotonic_ns()}"
    _grant(openbao, in_openbao.settings["path"])
    openbao.call("POST", f"sys/auth/{mount}", type="approle")
    openbao.call("POST", f"auth/{mount}/role/ci", token_policies="deploying", token_ttl="5m", secret_id_num_uses=2)
    role_id = openbao.call("GET", f"auth/{mount}/role/ci/role-id")["data"]["role_id"]
    made = openbao.call("POST", f"auth/{mount}/role/ci/secret-id", ttl="5m")
    (tmp_path / "secret-id").write_text(made["data"]["secret_id"])
    return {"role_id": role_id, "secret_id_file": tmp_path / "secret-id", "mount": mount}


def test_an_approle_logs_in_once_and_deploys(in_openbao, approle, monkeypatch):
    asked, request = [], requests.Session.request
    count = lambda self, *args, **more: asked.append(more["url"]) or request(self, *args, **more)  # noqa: E731
    monkeypatch.setattr(requests.Session, "request", count)
    _works(in_openbao.backend(auth=AppRole(**approle)))
    assert sum("login" in url for url in asked) == 1


def test_an_approle_that_is_refused_is_explained(in_openbao, approle, refusal, tmp_path):
    for _ in range(2):
        in_openbao.backend(auth=AppRole(**approle)).missing(SECRETS)
    used_up = in_openbao.backend(auth=AppRole(**approle))
    fault = _refused(refusal, used_up, "AppRole login", "was refused", "get a new secret id", str(tmp_path))
    assert (tmp_path / "secret-id").read_text() not in str(fault)
    _refused(
        refusal,
        in_openbao.backend(auth=AppRole(**{**approle, "mount": "nowhere"})),
        "auth/nowhere was refused",
        "check mount",
    )
    (tmp_path / "secret-id").unlink()
    _refused(refusal, in_openbao.backend(auth=AppRole(**approle)), "There is no secret id in")


@pytest.fixture
def signed(tmp_path):
    """Return a function that signs an identity as a CI does, and the public key that proves it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def identity(**claims):
        parts = ({"alg": "RS256", "typ": "JWT"}, {"iss": "https://ci.example", "sub": "project:main", **claims})
        text = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        (tmp_path / "jwt").write_text(f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}")
        return tmp_path / "jwt"

    return identity, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize("way", [Jwt, Kubernetes])
def test_a_signed_identity_logs_in_and_deploys(openbao, in_openbao, signed, refusal, way):
    identity, public = signed
    mount = f"jwt-{time.monotonic_ns()}"
    _grant(openbao, in_openbao.settings["path"])
    openbao.call("POST", f"sys/auth/{mount}", type="jwt")
    openbao.call("POST", f"auth/{mount}/config", jwt_validation_pubkeys=[public])
    role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_policies": ["deploying"]}
    openbao.call("POST", f"auth/{mount}/role/deploy", **role)
    now = int(time.time())
    auth = way("deploy", identity(aud="vault", iat=now, exp=now + 300), mount)
    _works(in_openbao.backend(auth=auth))
    identity(aud="vault", iat=now - 900, exp=now - 600)
    fault = _refused(refusal, in_openbao.backend(auth=auth), f"auth/{mount} as deploy was refused", "is fresh")
    assert auth.token_file.read_text()[-20:] not in str(fault)


def test_the_defaults_of_a_pod_are_kubernetes_own():
    assert str(Kubernetes("deploy").token_file) == "/var/run/secrets/kubernetes.io/serviceaccount/token"
    assert Kubernetes("deploy").mount == "kubernetes"


@pytest.fixture
def secured(tmp_path):
    """Return an OpenBao that speaks TLS, with a certificate of an authority of its own."""
    authority, other = Authority(tmp_path), Authority(tmp_path / "other")
    for one, name in ((authority, "server"), (authority, "client"), (other, "client")):
        one.issue(name)
    port = free_port()
    files = {"tls_cert_file": str(tmp_path / "server.pem"), "tls_key_file": str(tmp_path / "server.key")}
    listener = {"tcp": {"address": f"127.0.0.1:{port}", **files}}
    (tmp_path / "config.json").write_text(json.dumps({"listener": listener, "storage": {"inmem": {}}}))
    server = OpenBao(tmp_path / "config.json", f"https://127.0.0.1:{port}", verify=str(tmp_path / "ca.pem"))
    try:
        server.initialize().ready()
        server.call("POST", "sys/auth/cert", type="cert")
        ca = (tmp_path / "ca.pem").read_text()
        server.call("POST", "auth/cert/certs/deploy", certificate=ca, token_policies="deploying", token_ttl="5m")
        _grant(server, "production")
        yield server
    finally:
        server.stop()


def test_a_client_certificate_logs_in_over_tls_and_others_are_refused(secured, tmp_path, refusal):
    def vault(place=tmp_path, role="deploy", **more):
        auth = Certificate(place / "client.pem", place / "client.key", role)
        return Vault(secured.address, "production", auth=auth, **more)

    trusted = {"ca_file": tmp_path / "ca.pem"}
    _works(vault(**trusted))
    _works(vault(role="", **trusted))
    _refused(refusal, vault(), "Its TLS certificate is not trusted", "ca_file")
    _refused(refusal, vault(ca_file=tmp_path / "nowhere.pem"), "There is no ca_file", "nowhere.pem")
    _refused(refusal, vault(role="other", **trusted), "certificate login at auth/cert was refused")
    _refused(refusal, vault(tmp_path / "other", **trusted), "certificate login", "has not expired")
    (tmp_path / "client.key").unlink()
    _refused(refusal, vault(**trusted), "There is no key in", "client.key")


def test_a_namespace_keeps_its_own_secrets(openbao, in_openbao, tmp_path, refusal):
    openbao.call("POST", "sys/namespaces/team")
    openbao.call("POST", "sys/mounts/health-v1", "team", type="kv", options={"version": "2"})
    _grant(openbao, in_openbao.settings["path"], "team")
    made = openbao.call("POST", "auth/token/create", "team", policies=["deploying"])["auth"]["client_token"]
    (tmp_path / "team-token").write_text(made)
    _works(in_openbao.backend(namespace="team", auth=Token(tmp_path / "team-token")))
    assert in_openbao.backend().names() == ()
    _refused(refusal, in_openbao.backend(namespace="nowhere"), "There is no namespace nowhere")
