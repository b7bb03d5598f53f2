"""When a certificate is due, what certbot is told, and what the host's answer means."""

import subprocess
from dataclasses import replace

import pytest

from deploys.certbot.checks import checks
from deploys.certbot.commands import fetch
from deploys.certbot.settings import LETS_ENCRYPT, Certbot
from deploys.facts.certificate import Certificate, CertificateState
from deploys.faults import Refused
from deploys.operations.certificates import DAY, due
from deploys.stack import Stack

STACK = Stack(domain="api.example.com")
PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
GOOD = Certificate(
    whole=True,
    server=LETS_ENCRYPT,
    authenticator="webroot",
    names=frozenset({STACK.domain}),
    left=60 * DAY,
    life=90 * DAY,
    placed=True,
    file=True,
)


def _due(**changed):
    return due(replace(GOOD, **changed), STACK.names, LETS_ENCRYPT, 21)


def test_a_good_certificate_that_is_served_needs_nothing():
    assert _due() == ("", "")


@pytest.mark.parametrize(
    ("changed", "action", "why"),
    [
        ({"whole": False}, "create", "there is none"),
        ({"server": "https://staging.test/dir"}, "renew", "https://staging.test/dir"),
        ({"names": frozenset({"b.test"})}, "renew", "b.test"),
        ({"names": frozenset({"b.test", "api.example.com"})}, "renew", "api.example.com, b.test"),
        ({"left": 20 * DAY}, "renew", "in 20 days"),
        ({"left": -5}, "renew", "has ended"),
        ({"authenticator": "nginx"}, "renew", "renewed by nginx"),
        ({"placed": False}, "install", "another one"),
        ({"placed": False, "file": False}, "install", "not in its place"),
        ({"stale": True}, "reload", "another one is served"),
        ({"stale": True, "placed": False}, "install", "another one"),
    ],
)
def test_what_is_wrong_says_what_is_done(changed, action, why):
    done, reason = _due(**changed)
    assert done == action
    assert why in reason


@pytest.mark.parametrize(("days", "left", "is_due"), [(6, 3, False), (6, 1, True), (45, 16, False), (45, 14, True)])
def test_a_certificate_of_a_short_life_is_not_due_all_the_time(days, left, is_due):
    assert (_due(life=days * DAY, left=left * DAY)[0] == "renew") == is_due


def test_a_bare_host_has_no_certificate():
    fact = CertificateState()
    done = subprocess.run(
        ["sh", "-c", fact.command("no-such-lineage", "no.such.name", "/no/such/file")],
        env={"PATH": "/no/such/path"},
        executable="/bin/sh",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert fact.process(done.stdout.splitlines()) == Certificate()


def test_what_the_host_says_is_understood():
    said = """server=https://a.test/dir
authenticator=webroot
names=api.example.com b.example.com
begins=1000
ends=5000
now=2000
kept=abc
placed=abc
placed_first=MIIA
served_first=MIIB"""
    assert CertificateState().process(said.splitlines()) == Certificate(
        whole=True,
        server="https://a.test/dir",
        authenticator="webroot",
        names=frozenset({"api.example.com", "b.example.com"}),
        left=3000,
        life=4000,
        placed=True,
        file=True,
        stale=True,
    )


def test_a_server_that_does_not_answer_is_not_stale():
    found = CertificateState().process(["kept=abc", "placed=abc", "placed_first=MIIA", "served_first="])
    assert not found.stale


def test_lets_encrypt_is_asked_once_and_never_by_the_nginx_plugin():
    script = fetch(Certbot(email="ops@example.com"), STACK, "health-v1")
    assert script.count("certonly") == 1
    assert LETS_ENCRYPT in script
    assert "--webroot" in script
    assert "--nginx" not in script
    assert subprocess.run(["sh", "-nc", script], check=False).returncode == 0


def test_an_address_is_optional_and_never_given_away():
    assert "--register-unsafely-without-email" in fetch(Certbot(), STACK, "health-v1")
    told = fetch(Certbot(email="ops@example.com"), STACK, "health-v1")
    assert "--email ops@example.com" in told
    assert "--no-eff-email" in told


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"email": "nobody"}, "email"),
        ({"directory_url": "http://acme.test/dir"}, "directory_url"),
        ({"directory_ca": "/some/path"}, "PEM text"),
        ({"directory_ca": PEM + "-----BEGIN PRIVATE KEY-----"}, "PEM text"),
        ({"ahead": 0}, "ahead"),
        ({"directory": "https://acme.test"}, "did you mean directory_ca"),
    ],
)
def test_a_wrong_value_is_refused_by_name(changed, words):
    with pytest.raises(Refused, match=words):
        Certbot(**changed)


def test_an_authoritys_text_ends_in_a_newline():
    assert Certbot(directory_ca=PEM.rstrip()).directory_ca == PEM


def test_claims_are_told_apart():
    claims = [check.claim for check in checks(Certbot(), STACK, "health-v1")]
    assert len(set(claims)) == len(claims)
