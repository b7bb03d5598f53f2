"""Keys that a real OpenBao signs, and what is said when it does not."""

import subprocess
import time
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_public_identity
from paramiko import PKey

from healthv1.access import Leased, Signed
from healthv1.access.agent import addition, agent
from healthv1.errors import SecretsError
from healthv1.secrets.vault import Token, Vault
from tests.unit.healthv1.backends.servers import ROOT

ROLE = {"key_type": "ca", "allow_user_certificates": True, "allowed_users": "admin", "max_ttl": "1h"}
NARROW = 'path "ssh-*/sign/other" { capabilities = ["update"] }'


@pytest.fixture
def mount(openbao):
    name = f"ssh-{uuid4().hex[:8]}"
    openbao.call("POST", f"sys/mounts/{name}", type="ssh")
    openbao.call("POST", f"{name}/config/ca", generate_signing_key=True, key_type="ed25519")
    openbao.call("POST", f"{name}/roles/us", **ROLE)
    return name


@pytest.fixture
def by(openbao, tmp_path):
    return lambda token=ROOT: Vault(openbao.address, path="x", auth=Token(_file(tmp_path, token)))


def _file(folder, token):
    path = folder / "token"
    path.write_text(token)
    return path


def test_a_key_is_signed_once_for_all_hosts_of_a_run(by, mount):
    signed = Signed(by(), "us", mount)
    made = [signed.credential("admin") for _ in range(3)]
    assert len({one.certificate for one in made}) == 1
    found = load_ssh_public_identity(made[0].certificate.encode())
    assert list(found.valid_principals) == [b"admin"]
    assert 540 < found.valid_before - time.time() <= 600


def test_neither_key_nor_certificate_shows_in_a_repr(by, mount):
    made = Signed(by(), "us", mount).credential("admin")
    assert repr(made).startswith("Credential(certificate=")
    assert "PRIVATE" not in repr(made)


def test_hosts_trust_what_the_engine_says_or_what_is_given(by, openbao, mount):
    said = openbao.call("GET", f"{mount}/config/ca")["data"]["public_key"].strip()
    assert Signed(by("no token at all"), "us", mount).authorities() == (said,)
    assert Signed(by(), "us", mount, authorities=("ssh-ed25519 AAAA a",)).authorities() == ("ssh-ed25519 AAAA a",)


@pytest.mark.parametrize(
    ("role", "user", "what"),
    [("none", "admin", "It has no role none"), ("us", "root", "root")],
)
def test_a_role_that_does_not_sign_is_named(by, mount, role, user, what):
    with pytest.raises(SecretsError, match=what):
        Signed(by(), role, mount).credential(user)


def test_a_mount_that_is_not_there_says_how_to_enable_it(by, openbao):
    for ask in (lambda: Signed(by(), "us", "nowhere").credential("admin"), Signed(by(), "us", "nowhere").authorities):
        with pytest.raises(SecretsError) as refusal:
            ask()
        assert "bao secrets enable -path=nowhere ssh" in str(refusal.value)
    with pytest.raises(SecretsError, match="There is no database engine at nowhere"):
        Leased(by(), "us", "nowhere").lease()


def test_a_permission_that_is_missing_is_named(by, openbao, mount):
    with pytest.raises(SecretsError) as refusal:
        Signed(by(openbao.token(NARROW)), "us", mount).credential("admin")
    assert f"`update` on {mount}/sign/us" in str(refusal.value)


def test_clocks_that_differ_are_told(by, openbao, mount, monkeypatch):
    now = time.time
    for shift, what in ((3600, "It ends at"), (-3600, "It begins at")):
        monkeypatch.setattr("healthv1.secrets.vault.ssh_certificates.time.time", lambda shift=shift: now() + shift)
        with pytest.raises(SecretsError, match=f"(?s){what}.*clock"):
            Signed(by(), "us", mount).credential("admin")


def test_a_certificate_about_to_end_is_replaced(by, openbao, mount, monkeypatch):
    signed = Signed(by(), "us", mount, minutes=1)
    first, now = signed.credential("admin"), time.time
    assert first.is_usable
    monkeypatch.setattr("healthv1.secrets.vault.ssh_certificates.time.time", lambda: now() + 31)
    assert not first.is_usable


def test_an_agent_holds_the_signed_key_and_leaves_nothing(by, mount):
    made = Signed(by(), "us", mount).credential("admin")
    with agent(made) as at:
        listed = _listed(at)
    assert "ED25519-CERT" in listed
    assert not at.parent.exists()
    assert isinstance(made.key, PKey)
    assert len(addition(made)) > 200


def _listed(at):
    where = {"SSH_AUTH_SOCK": str(at), "PATH": "/usr/bin"}
    return subprocess.run(["ssh-add", "-l"], env=where, capture_output=True, text=True, check=True).stdout
