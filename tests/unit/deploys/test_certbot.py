"""When a certificate is due, what certbot is told, and what the host's answer means."""

import subprocess
from dataclasses import replace

import pytest

from deploys.certbot.checks import checks
from deploys.certbot.commands import fetch, lineage_paths
from deploys.certbot.settings import LETS_ENCRYPT, Certbot
from deploys.facts.certificate import CertificateState, HostCertificate
from deploys.faults import Refused
from deploys.operations.certificates import DAY, name_conflicts, next_action
from deploys.paths import BEFORE
from deploys.sites import Site
from deploys.stack import Stack

STACK = Stack(domain="api.example.com")
PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
GOOD = HostCertificate(
    exists=True,
    server=LETS_ENCRYPT,
    authenticator="webroot",
    names=frozenset({STACK.domain}),
    seconds_left=60 * DAY,
    lifetime=90 * DAY,
    is_installed=True,
    file_exists=True,
)


def _due(**changed):
    return next_action(replace(GOOD, **changed), STACK.names, LETS_ENCRYPT, 21)


def test_a_good_certificate_that_is_served_needs_nothing():
    assert _due() == ("", "")


@pytest.mark.parametrize(
    ("changed", "action", "why"),
    [
        ({"exists": False}, "create", "there is none"),
        ({"server": "https://staging.test/dir"}, "renew", "https://staging.test/dir"),
        ({"names": frozenset({"b.test"})}, "renew", "b.test"),
        ({"names": frozenset({"b.test", "api.example.com"})}, "renew", "api.example.com, b.test"),
        ({"seconds_left": 20 * DAY}, "renew", "in 20 days"),
        ({"seconds_left": -5}, "renew", "has ended"),
        ({"authenticator": "nginx"}, "renew", "renewed by nginx"),
        ({"is_installed": False}, "install", "another one"),
        ({"is_installed": False, "file_exists": False}, "install", "not in its place"),
        ({"other_is_served": True}, "reload", "another one is served"),
        ({"other_is_served": True, "is_installed": False}, "install", "another one"),
    ],
)
def test_what_is_wrong_says_what_is_done(changed, action, why):
    done, reason = _due(**changed)
    assert done == action
    assert why in reason


@pytest.mark.parametrize(("days", "left", "is_due"), [(6, 3, False), (6, 1, True), (45, 16, False), (45, 14, True)])
def test_a_certificate_of_a_short_life_is_not_due_all_the_time(days, left, is_due):
    assert (_due(lifetime=days * DAY, seconds_left=left * DAY)[0] == "renew") == is_due


def test_further_names_are_in_the_same_certificate():
    stack = Stack(domain="api.example.com", aliases=("b.example.com", "api.example.com"))
    assert stack.names == ("api.example.com", "b.example.com")
    assert next_action(GOOD, stack.names, LETS_ENCRYPT, 21) == ("renew", "it is for api.example.com")
    both = replace(GOOD, names=frozenset(stack.names))
    assert next_action(both, stack.names, LETS_ENCRYPT, 21) == ("", "")
    script = fetch(Certbot(), stack, "health-v1")
    assert "--cert-name health-v1 --domain api.example.com --domain b.example.com" in script
    for name in stack.names:
        assert f"-H 'Host: {name}'" in script, "no challenge is tried"


EXPANDED = replace(
    GOOD,
    names=frozenset({STACK.domain, "www.example.com"}),
    webroots=((STACK.domain, "/var/www/acme"), ("www.example.com", "/srv/www")),
)
ARCHIVE = lineage_paths("health-v1")[1]
LIVE = "/etc/letsencrypt/live/api.example.com/fullchain.pem"


def _lost(site=None, covered=()):
    sites = [Site("/etc/nginx/conf.d/www.conf", (), ("www.example.com",), (site,))] if site else []
    return list(name_conflicts(EXPANDED, STACK.domain, ["www.example.com"], sites, covered))


def test_a_name_that_somebody_added_to_our_certificate_is_refused_with_the_site_that_serves_it():
    (foreign,) = _lost(LIVE)
    assert foreign.thing == "name www.example.com"
    assert "/etc/nginx/conf.d/www.conf serves it with that" in foreign.what
    assert "add it to stack.aliases" in foreign.way_out
    command = foreign.way_out.partition("of its own: ")[2]
    assert command == (
        f"certbot certonly --non-interactive --server {LETS_ENCRYPT} --webroot --webroot-path /srv/www"
        " --cert-name www.example.com --domain www.example.com"
        " && sed -i --follow-symlinks"
        " 's#/etc/letsencrypt/live/api.example.com/#/etc/letsencrypt/live/www.example.com/#'"
        " /etc/nginx/conf.d/www.conf && nginx -t && systemctl reload nginx"
    )


def test_a_name_is_refused_until_another_certificate_covers_it_and_nobody_serves_ours_for_it():
    assert "serves that name" in _lost("/srv/www.pem")[0].what
    assert "no site" in _lost()[0].what
    assert _lost("/srv/www.pem", covered={"www.example.com"}) == []
    assert _lost(covered={"www.example.com"}) == []
    assert len(_lost(LIVE, covered={"www.example.com"})) == 1


@pytest.fixture
def left_behind(tmp_path):
    """What a killed certbot left, and a function that runs our step aside there, then a certbot."""
    for part in lineage_paths("health-v1"):
        path = tmp_path / part.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
    live, archive, renewal = (tmp_path / part.lstrip("/") for part in lineage_paths("health-v1"))
    live.mkdir()
    archive.mkdir()
    renewal.touch()
    (archive / "privkey1.pem").write_text("the only key\n")

    def run(certbot):
        script = fetch(Certbot(), STACK, "health-v1")
        begin, end = script.index("mode="), script.index('"$certbot" certonly')
        script = f"set -eu; {script[begin:end]}\n{certbot}\n{script[script.index('trap - EXIT HUP') :]}"
        script = script.replace(BEFORE, f"{tmp_path}/before").replace("/etc/letsencrypt", f"{tmp_path}/etc/letsencrypt")
        return subprocess.run(["sh", "-c", script, "fetch", "create"], capture_output=True, text=True, check=False)

    return tmp_path, archive, run


def test_what_a_killed_certbot_left_comes_back_unless_the_authority_answers(left_behind):
    root, archive, run = left_behind
    away = run(f"test ! -e {ARCHIVE} && exit 1")
    assert away.returncode == 1
    assert away.stderr == ""
    assert (archive / "privkey1.pem").read_text() == "the only key\n"
    assert not list((root / "etc/letsencrypt").glob(".health-v1*"))
    (kept,) = (root / "before").iterdir()
    assert (kept / f"files{archive}/privkey1.pem").read_text() == "the only key\n"
    assert "thing=lineage health-v1" in (kept / "entry").read_text()


def test_what_a_killed_certbot_left_gives_way_to_a_certificate(left_behind):
    root, archive, run = left_behind
    done = run(f"mkdir {ARCHIVE}; touch {ARCHIVE}/new")
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in archive.iterdir()] == ["new"]
    assert not list((root / "etc/letsencrypt").glob(".health-v1*"))
    assert len(list((root / "before").iterdir())) == 1


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
    assert fact.process(done.stdout.splitlines()) == HostCertificate()


def test_what_the_host_says_is_understood():
    said = """server=https://a.test/dir
authenticator=webroot
webroot=b.example.com /var/www/acme
names=api.example.com b.example.com
begins=1000
ends=5000
now=2000
kept=abc
placed=abc
placed_first=MIIA
served_first=MIIB"""
    assert CertificateState().process(said.splitlines()) == HostCertificate(
        exists=True,
        server="https://a.test/dir",
        authenticator="webroot",
        names=frozenset({"api.example.com", "b.example.com"}),
        webroots=(("b.example.com", "/var/www/acme"),),
        seconds_left=3000,
        lifetime=4000,
        is_installed=True,
        file_exists=True,
        other_is_served=True,
    )


def test_a_server_that_does_not_answer_is_not_stale():
    found = CertificateState().process(["kept=abc", "placed=abc", "placed_first=MIIA", "served_first="])
    assert not found.other_is_served


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
