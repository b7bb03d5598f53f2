"""A host proves to others who it is, and sees who they are: OpenSSL's own handshake, and what is due when it is."""

import base64
import json
import secrets
import shutil
import time
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from deploys.credentials import authority
from deploys.credentials.authority import authorities
from deploys.secret import Secret, Version
from deploys.tls import HostIdentity
from healthv1.sandbox.snapshots import reset
from healthv1.secrets.backend import generate
from tests.hosts.test_rotation import vault
from tests.hosts.test_secrets_contained import _forms, _found_here, _found_on_host
from tests.hosts.world import CONVERGED, REPOSITORY, quoted

TLS = "/etc/health-v1/tls"
SIGNED_BY_ITSELF = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 300 -subj /CN=host1"
    " -addext subjectAltName=DNS:host1 -keyout {0}/host.key -out {0}/host.pem 2>/dev/null"
)
RENEWED = ("renew", f"{TLS}/host.pem")
APPLY = ("apply", "sandbox", "--yes")
# $1 the server's arguments, $2 the client's: whether both take what the other sent. In TLS 1.3 a client is done before
# the server has looked at its certificate, and s_server ends with 0 whatever came: so the handshake is one of TLS 1.2.
HANDSHAKE = """openssl s_server -accept 127.0.0.1:4433 -Verify 1 -verify_return_error -naccept 1 -quiet $1 \
  >/dev/null 2>&1 & server=$!
for i in $(seq 50); do [ -z "$(ss -Hltn 'sport = :4433')" ] || break; sleep 0.1; done
openssl s_client -connect 127.0.0.1:4433 -tls1_2 -verify_return_error -quiet -no_ign_eof $2 \
  </dev/null >/dev/null 2>&1 &&
  wait $server && echo yes || { kill $server 2>/dev/null; wait; }"""


def files(folder, pair="host"):
    return f"-CAfile {folder}/ca.pem -cert {folder}/{pair}.pem -key {folder}/{pair}.key"


def handshakes(world, client, server=""):
    """Whether a server of this host, or of these files, and a client with these take each other for who they are."""
    return world.shell(f"set -- {quoted(server or files(TLS))} {quoted(client)}\n{HANDSHAKE}").strip() == "yes"


@contextmanager
def key_in_backend(world):
    """Plant a key of our own, past our code, and leave the backend without one: other tests' settings name none."""
    name, value = f"{world.name}/ca_key", base64.b64encode(secrets.token_bytes(32)).decode()
    world.openbao("POST", f"data/{name}", {"data": {"value": value}})
    try:
        yield value
    finally:
        world.openbao("DELETE", f"metadata/{name}")


@pytest.fixture(scope="module")
def trusting(_deployed, driver, tmp_path_factory):
    """The deployed host, which was told by now to trust our authority; what that printed. Tests leave it converged."""
    world, project = _deployed, tmp_path_factory.mktemp("trusting")
    for name in ("inventories", "group_data"):
        shutil.copytree(REPOSITORY / name, project / name)
    settings = project / "group_data/sandbox.py"
    settings.write_text(f"from deploys.pki.settings import Pki\n{settings.read_text()}\npki = Pki()\n")
    began = time.time()
    with key_in_backend(world) as value:
        told = [world.cli("--debug", *command, cwd=project) for command in (("plan", "sandbox", "--full"), APPLY)]
        assert [done.returncode for done in told] == [2, 0], told[-1].stderr
        printed = [done.stdout + done.stderr for done in told]
        yield SimpleNamespace(world=world, project=project, value=value, driver=driver, printed=printed, began=began)
    reset(world.sandbox, CONVERGED)


def applied(trusting):
    """Apply; what was planned is made, and nothing is left to do. Returns what was changed."""
    outcome = trusting.driver.apply(trusting.project)
    outcome.assert_faithful()
    return [(change["action"], change["target"]) for *_, change in outcome.made]


class Kept:
    def __init__(self, value):
        self.value = value

    def versions(self, _secret):
        return (Version(1, self.value),)


def doctored(trusting, *, days):
    """Put a certificate there that our authority signed, and that ends in `days`. Returns when."""
    world = trusting.world
    host = world.running.hosts[0]
    identity = HostIdentity.of("host1", (host.address, host.address6))
    signer = authorities(Secret("ca_key", 32, backend=Kept(trusting.value)))[0]
    public = world.shell(f"openssl pkey -in {TLS}/host.key -pubout")
    ends = datetime.now(timezone.utc) + timedelta(days=days)
    text = signer.issue(identity, public, ends - timedelta(days=365))
    world.shell(f"echo {base64.b64encode(text.encode()).decode()} | base64 -d > {TLS}/host.pem")
    return ends


def broken_claims(trusting):
    findings = trusting.world.json("verify", "sandbox", cwd=trusting.project)[1]["findings"]
    found = [one for one in findings if one["component"] == "pki"]
    assert len(found) == 4
    return {one["claim"] for one in found if not one["holds"]}


def test_a_host_proves_who_it_is_and_neither_its_key_nor_the_authoritys_is_anywhere_else(trusting):
    world, printed = trusting.world, trusting.printed
    assert applied(trusting) == [], "a second apply changes nothing"
    host, ours = world.running.hosts[0], files(TLS)
    for peer in ("-verify_hostname host1", f"-verify_ip {host.address}", f"-verify_ip {host.address6}"):
        assert handshakes(world, f"{ours} {peer}"), peer
    assert not handshakes(world, f"{ours} -verify_hostname host2")
    world.shell(f"mkdir /run/strange; cp {TLS}/ca.pem /run/strange; cd /run/strange; {SIGNED_BY_ITSELF.format('.')}")
    stranger = files("/run/strange")
    assert not handshakes(world, f"{stranger} -verify_hostname host1"), "a stranger is let in"
    assert not handshakes(world, f"{ours} -verify_hostname host1", stranger), "a stranger is believed"

    number = authority._private_key(base64.b64decode(trusting.value)).private_numbers().private_value
    derived = base64.b64encode(number.to_bytes(32, "big")).decode()
    raw = {f"{number:064x}", base64.b64decode(trusting.value).hex()}
    assert _found_on_host(world, _forms(trusting.value) | _forms(derived) | raw) == set()
    pem = world.shell(f"cat {TLS}/host.key").splitlines()[1]
    assert _found_on_host(world, {pem}) == {f"{TLS}/host.key"}
    assert world.shell(f"stat -c '%a %U:%G' {TLS}/host.key").strip() == "640 root:root"
    needles = {pem, trusting.value, derived, *raw}
    assert not [needle for needle in needles if any(needle in text for text in printed)]
    assert _found_here(needles, trusting.began) == []


def test_what_is_not_as_it_should_be_is_claimed_and_mended_by_an_apply(trusting):
    world, key = trusting.world, f"openssl pkey -in {TLS}/host.key -pubout"
    public, saved = world.shell(key), trusting.project / "plan.json"
    ends = doctored(trusting, days=45)
    assert world.cli("plan", "sandbox", "--out", str(saved), cwd=trusting.project).returncode == 2
    [change] = [change for step in json.loads(saved.read_text())["plan"]["steps"] for change in step["changes"]]
    assert (change["action"], change["why"]) == ("renew", f"it ends on {ends:%Y-%m-%d}")
    world.must("apply", str(saved), "--yes", cwd=trusting.project)

    doctored(trusting, days=25)
    world.shell(f"chmod 0644 {TLS}/host.key; cat {TLS}/host.pem >> {TLS}/ca.pem")
    assert broken_claims(trusting) == {
        "The certificate of host1 for root is of its key, which only root may read",
        "The certificate of host1 for root lasts 30 days more",
        "The host trusts our authority, and no other, in what other hosts tell it",
    }
    assert applied(trusting) == [("update", f"{TLS}/ca.pem"), ("update", f"{TLS}/host.key"), RENEWED]
    assert world.shell(key) == public, "the key stays"

    world.shell(f"cd {TLS}; {SIGNED_BY_ITSELF.format('.')}")  # also of a key that is somebody else's
    world.shell(f"openssl genrsa -out {TLS}/host.key 2048 2>/dev/null")
    assert applied(trusting) == [("replace", f"{TLS}/host.key"), RENEWED]
    assert handshakes(world, f"{files(TLS)} -verify_hostname host1")


def test_the_authority_gets_another_key_and_hosts_that_are_a_step_apart_understand_each_other(trusting):
    """The step before stands for a host that the apply has not reached yet."""
    world = trusting.world
    steps = {
        "staged": (lambda entry: entry.staged(generate(32)), [("update", f"{TLS}/ca.pem")]),
        "promoted": (lambda entry: entry.promoted(), [RENEWED]),
        "retired": (lambda entry: entry.retired(keep=True), [("update", f"{TLS}/ca.pem")]),
    }
    for reached, (change, expected) in steps.items():
        world.shell(f"rm -rf /run/before; cp -a {TLS} /run/before; [ -e /run/first ] || cp -a {TLS} /run/first")
        vault(world).change("ca_key", change)
        assert applied(trusting) == expected, reached
        for ends in ((TLS, TLS), (TLS, "/run/before"), ("/run/before", TLS)):
            client, server = (files(end) for end in ends)
            assert handshakes(world, f"{client} -verify_hostname host1", server), (reached, ends)
    assert not handshakes(world, f"{files('/run/first')} -verify_hostname host1"), (
        "the former authority is still trusted"
    )
    assert not handshakes(world, f"{files(TLS)} -verify_hostname host1", files("/run/first"))
    vault(world).change("ca_key", lambda entry: entry.settled())
    assert applied(trusting) == []
    assert broken_claims(trusting) == set()
