"""The website, its certificates and bans, seen from outside by eyes that are not ours: curl, openssl, ssh."""

import re
import secrets
import ssl
import subprocess
from uuid import uuid4

import pytest

from deploys.nginx import configuration
from deploys.nginx.places import own_place
from deploys.nginx.settings import VERSIONS, Nginx
from deploys.stack import Stack, Topology


def _serial(world):
    found = world.running
    pem = subprocess.run(
        ["openssl", "s_client", "-connect", f"{found.edge.address}:443", "-servername", found.domain],
        input="",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    certificate = re.search(r"-----BEGIN.*?-----END CERTIFICATE-----", pem, re.DOTALL)[0]
    assert ssl.PEM_cert_to_DER_cert(certificate)
    shown = subprocess.run(
        ["openssl", "x509", "-noout", "-serial"], input=certificate, capture_output=True, text=True, check=True
    )
    return shown.stdout.strip()


def test_a_renewed_certificate_is_served_without_anybody_reloading(mended, driver):
    before = _serial(mended)
    mended.shell(
        "systemctl cat certbot.timer >/dev/null && certbot renew --force-renewal --no-random-sleep-on-renew -q"
    )
    after = _serial(mended)
    assert after != before
    assert mended.curl().returncode == 0
    assert driver.apply().planned == []


def test_the_timers_own_run_renews_too(broken):
    before = _serial(broken)
    conf = "/etc/letsencrypt/renewal/health-v1.conf"
    broken.shell(f"sed -i '1i renew_before_expiry = 36500 days' {conf} && systemctl start certbot.service")
    assert _serial(broken) != before
    assert broken.curl().returncode == 0


# What an authority that has lost its accounts answers: the one that is named here, it never had.
FORGOTTEN = "sed -i 's#my-account/[0-9a-f]*#my-account/0123456789abcdef#' /etc/letsencrypt/accounts/*/*/*/regr.json"
KNOWN = "The directory knows the account that renews it"
OWNERS = "/etc/letsencrypt/accounts/acme.example.net/directory/0123"


def _known(world):
    (found,) = (one["holds"] for one in world.json("verify", "sandbox")[1]["findings"] if one["claim"] == KNOWN)
    return found


@pytest.mark.long(80)
def test_an_account_that_the_authority_has_forgotten_is_made_anew_by_the_timer_and_by_an_apply(broken, project):
    before, conf = _serial(broken), "/etc/letsencrypt/renewal/health-v1.conf"
    broken.shell(f"mkdir -p {OWNERS}; echo his > {OWNERS}/regr.json")
    broken.shell(FORGOTTEN)
    assert not _known(broken)
    broken.shell(f"sed -i '1i renew_before_expiry = 36500 days' {conf} && systemctl start certbot.service")
    assert _serial(broken) != before
    assert _known(broken)

    settings = project / "group_data/sandbox.py"
    alias = 'stack = stack.model_copy(update={"aliases": ("clinic.sandbox.test",)})'
    settings.write_text(f"{settings.read_text()}\n{alias}\n")
    others = conf.replace("health-v1", "owners")
    broken.shell(f"{FORGOTTEN}; grep '^account = ' {conf} > {others}")
    kept = broken.shell("md5sum /etc/letsencrypt/accounts/*/*/*/*")
    done = broken.cli("apply", "sandbox", "--yes", cwd=project)
    assert done.returncode == 1
    assert f"which renews others as well: {others}" in done.stderr
    assert broken.shell("md5sum /etc/letsencrypt/accounts/*/*/*/*") == kept, "it is somebody else's, too"
    broken.shell(f"rm {others}")
    broken.must("apply", "sandbox", "--yes", cwd=project)
    assert broken.json("apply", "sandbox", "--yes", cwd=project)[1]["changes"] == 0
    assert broken.shell(f"cat {OWNERS}/regr.json") == "his\n"
    aside = "cat /var/lib/healthv1/before/*/files/etc/letsencrypt/accounts/*/*/*/regr.json"
    assert broken.shell(aside).count("0123456789abcdef") == 2, "what was forgotten is kept aside"

    # As a death leaves it, between the one that was taken away and the next.
    broken.shell(f"rm -r /etc/letsencrypt/accounts/*/*/$(sed -n 's/^account = //p' {conf})")
    assert not _known(broken)
    broken.shell("systemctl start certbot.service")
    assert _known(broken)


def test_a_broken_file_beside_ours_fails_the_apply_in_nginxs_words_and_stops_no_visitor(mended, driver):
    mended.shell(
        "echo no_such_directive on\\; > /etc/nginx/conf.d/broken.conf; echo '# edited' >> /etc/nginx/nginx.conf"
    )
    done = mended.cli("apply", "sandbox", "--yes")
    assert done.returncode == 1
    assert "/etc/nginx/conf.d/broken.conf" in done.stdout + done.stderr
    assert mended.curl().returncode == 0
    mended.shell("rm /etc/nginx/conf.d/broken.conf")
    driver.apply().assert_faithful()


def _answer(world, *arguments, url):
    """Return the status, the headers by lower-case name (each a list) and the body that curl saw."""
    head, _, body = world.curl("-i", *arguments, url=url).stdout.replace("\r", "").partition("\n\n")
    first, *lines = head.splitlines()
    headers = {}
    for line in lines:
        name, _, value = line.partition(": ")
        headers.setdefault(name.lower(), []).append(value)
    return int(first.split()[1]), headers, body


def _plain(world):
    return "--resolve", f"{world.running.domain}:80:{world.running.edge.address}"


LONGEST = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 56, "test"])


def test_nginx_takes_names_and_origins_of_253_characters(deployed):
    stack, settings, place = Stack(domain=LONGEST), Nginx(), own_place(ipv6=True)
    topology, version = Topology.seen_from("127.0.0.1", {"api": ["127.0.0.1"]}), VERSIONS["debian", "13"]
    origins = tuple(f"https://{name}" for name in (LONGEST, "app.example.com"))
    texts = {"site": configuration.site(settings, stack, topology, version, place, origins)()}
    whole = configuration.main_file(settings, stack, place)()
    texts["whole"] = whole.replace("/etc/nginx/sites-enabled/*", "/root/longest/site")
    assert "/root/longest/site" in texts["whole"]
    script = "".join(f"cat > /root/longest/{name} <<'END'\n{text}END\n" for name, text in texts.items())
    deployed.shell(f"mkdir -p /root/longest; {script}nginx -t -c /root/longest/whole; rm -r /root/longest")


def test_http_leads_to_https_with_path_and_query(deployed):
    for path in ("/some/page?x=1&y=%2F", "/", "/metrics"):
        url = f"http://{deployed.running.domain}{path}"
        status, headers, _ = _answer(deployed, *_plain(deployed), url=url)
        assert status in {301, 308}
        assert headers["location"] == [f"https://{deployed.running.domain}{path}"]


def test_port_80_serves_challenges_and_nobody_elses_name(deployed):
    challenges = f"http://{deployed.running.domain}/.well-known/acme-challenge"
    assert _answer(deployed, *_plain(deployed), url=f"{challenges}/none")[0] == 404
    assert _answer(deployed, *_plain(deployed), "--path-as-is", url=f"{challenges}/../../etc/passwd")[0] != 200
    assert deployed.curl(url=f"http://{deployed.running.edge.address}/").returncode != 0


HEADERS = {
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "strict-origin-when-cross-origin",
}


def test_every_answer_carries_the_security_headers_once(deployed, tmp_path):
    (tmp_path / "body").write_bytes(bytes(11_000_000))
    oversized = "--data-binary", f"@{tmp_path}/body"
    for path, arguments, expected in (
        ("/health/ready", (), 200),
        ("/no/such/page", (), 404),
        ("/metrics", (), 404),
        ("/v1/anything", oversized, 413),
        ("/health", ("-H", "Host: other.test"), 421),
    ):
        status, headers, body = _answer(deployed, *arguments, url=path)
        assert status == expected
        assert {name: headers.get(name) for name in HEADERS} == {name: [value] for name, value in HEADERS.items()}
        assert headers["server"] == ["nginx"], "it tells its version"
        assert len(headers["x-request-id"]) == 1
        if status != 200:
            assert headers["content-type"] == ["application/problem+json"]
            assert f'"status":{status}' in body


def test_a_visitors_identity_of_a_request_is_kept_where_it_can_be_nothing_else(deployed):
    """A social security number is none."""
    for offered, kept in (("123-45-6789", False), ("0123456789abcdef" * 2, True), (str(uuid4()), True)):
        for path in ("/no/such/page", "/health"):
            _, headers, _ = _answer(deployed, "-H", f"X-Request-ID: {offered}", url=path)
            assert (headers["x-request-id"] == [offered]) == kept
    assert "123-45-6789" not in deployed.shell("cat /var/log/nginx/health-v1*-access.log")


def _handshake(world, *arguments):
    """Return what openssl says of a handshake, whatever becomes of it."""
    argv = ["openssl", "s_client", "-connect", f"{world.running.edge.address}:443", *arguments]
    done = subprocess.run(argv, input="", capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_an_unknown_name_and_no_name_get_no_certificate(deployed):
    for arguments in (("-servername", "unknown.invalid"), ("-noservername",)):
        code, said = _handshake(deployed, *arguments)
        assert code != 0
        assert "BEGIN CERTIFICATE" not in said


def test_old_tls_and_weak_ciphers_are_refused_and_http_2_is_spoken(deployed):
    name = ("-servername", deployed.running.domain)
    weak = ("-cipher", "ALL:@SECLEVEL=0")
    assert _handshake(deployed, *name, "-tls1_2")[0] == 0
    assert _handshake(deployed, *name, "-tls1_3")[0] == 0
    assert _handshake(deployed, *name, "-tls1_1", *weak)[0] != 0
    assert _handshake(deployed, *name, "-tls1_2", "-cipher", "AES128-SHA:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")[0] != 0
    assert deployed.curl("-o", "/dev/null", "-w", "%{http_version}").stdout == "2"


def test_whoever_asks_too_often_is_refused_whatever_address_he_claims(deployed):
    url = f"https://{deployed.running.domain}/v1/auth/login?n=[1-16]"
    statuses = deployed.curl("-Z", "-o", "/dev/null", "-w", "%{http_code}\n", url=url).stdout.split()
    assert "429" in statuses
    for claimed in ("X-Forwarded-For: 203.0.113.7", "X-Real-IP: 203.0.113.8", "Forwarded: for=203.0.113.9"):
        status, headers, body = _answer(deployed, "-H", claimed, url="/v1/auth/login")
        assert status == 429
        assert headers["retry-after"] == ["12"]
        assert headers["strict-transport-security"] == [HEADERS["strict-transport-security"]]
        assert '"title":"Too Many Requests"' in body


ONCE_MORE = ("-X", "POST", "-o", "/dev/null", "-w", "%{http_code}\n")
"""Curl's options for many requests at once that tell how each was answered."""
LIFT = "sed -i '/^ *limit_req /d' /etc/nginx/sites-available/health-v1 && nginx -s reload && sleep 0.5"


def _many(world, path, count):
    """Return the statuses of so many requests at once, from the operator's address."""
    url = f"https://{world.running.domain}{path}?n=[1-{count}]"
    return world.curl("-Z", *ONCE_MORE, url=url).stdout.split()


def _broken_claims(world, **options):
    code, report = world.json("verify", "sandbox", **options)
    found = [one["claim"] for one in report["findings"] if not one["holds"]]
    assert code == (1 if found else 0)
    return found


def test_verify_uses_up_nobodys_limit_and_sees_when_one_is_gone(mended, driver):
    mended.shell("systemctl restart nginx")  # which forgets whom it has counted
    assert [_broken_claims(mended), _broken_claims(mended)] == [[], []]
    # Of eleven logins at once each verify has made one, as the user whose patient is synthetic.
    logins, others = _many(mended, "/v1/auth/login", 9), _many(mended, "/v1/patients", 20)
    assert (len(logins), len(others)) == (9, 20)
    assert "429" not in logins + others
    mended.shell(LIFT)
    assert _broken_claims(mended) == [
        "The API's rate limit bites beyond 21 requests at once and 10 a second",
        "The login's rate limit bites beyond 11 requests at once and 5 a minute",
    ]
    driver.apply().assert_faithful()


def test_other_limits_are_tried_as_they_are_set_or_read_where_trying_would_be_a_flood(broken, project):
    with (project / "group_data" / "sandbox.py").open("a") as data:
        data.write("\nfrom deploys.nginx.settings import Nginx\n")
        clinics = f"clinics=({broken.running.gateway!r},)"
        data.write(f"nginx = Nginx(auth_rate=60, auth_burst=60, api_burst=5000, {clinics}, connections=200)\n")
    broken.must("apply", "sandbox", "--yes", cwd=project)
    assert broken.json("apply", "sandbox", "--yes", cwd=project)[1]["changes"] == 0
    assert _broken_claims(broken, cwd=project) == []
    assert "429" not in _many(broken, "/v1/auth/login", 100), "people of a clinic were shut out"
    broken.shell(LIFT)
    assert _broken_claims(broken, cwd=project) == [
        "The API's rate limit of 5001 requests at once and 10 a second is configured: too many to be tried",
        "The login's rate limit bites beyond 61 requests at once and 60 a minute",
    ]


def test_no_log_holds_a_query_string_or_a_referrer(deployed):
    first, second, marker = secrets.token_hex(8), secrets.token_hex(8), secrets.token_hex(8)
    query = f"?ssn={first}{second}"
    refer = ("-e", f"https://app.sandbox.test/{query}")
    many = f"https://{deployed.running.domain}/v1/{marker}{query}&n=[1-40]"
    assert "429" in deployed.curl("-Z", *refer, "-o", "/dev/null", "-w", "%{http_code}\n", url=many).stdout
    deployed.curl(*refer, url=f"/{marker}{query}")
    deployed.curl(*refer, *_plain(deployed), url=f"http://{deployed.running.domain}/{marker}{query}")
    # In halves: sudo writes this command into the journal.
    search = (
        f"journalctl --sync; n={first}; n=${{n}}{second}; grep -rlF $n /var/log; journalctl -o cat | grep -cF $n; true"
    )
    assert deployed.shell(search).split() == ["0"]
    assert marker in deployed.shell("cat /var/log/nginx/health-v1-access.log"), "nothing was logged at all"


GUESSES = 40
"""At most: on a busy machine sshd gives up on some before they are guesses, and its log is read a moment later."""


def test_a_guesser_of_passwords_is_banned_and_the_operator_never(broken):
    host, gateway = broken.running.hosts[0], broken.running.gateway
    guesser = gateway.rsplit(".", 1)[0] + ".99"
    bridge = subprocess.run(
        ["ip", "-o", "-4", "addr", "show", "to", gateway], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    subprocess.run(["ip", "addr", "add", f"{guesser}/24", "dev", bridge], check=True)
    try:
        for _ in range(GUESSES):
            for source in (guesser, gateway):
                _guess(host.address, source)
            if guesser in broken.shell("fail2ban-client get health-v1-sshd banip"):
                break
        else:
            pytest.fail(broken.shell("tail -n 40 /var/log/fail2ban.log; journalctl -n 60 -o cat -u ssh"))
        assert "sshd" not in re.findall(r"[a-z0-9-]+", broken.shell("fail2ban-client status")), "it spares nobody"
        assert not _answers(host.address, guesser), "a banned address still gets an answer"
        assert _answers(host.address, gateway), "the operator was banned"
    finally:
        subprocess.run(["ip", "addr", "del", f"{guesser}/24", "dev", bridge], check=True)


def _guess(address, source):
    options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    subprocess.run(
        [
            "ssh",
            "-F",
            "none",
            "-b",
            source,
            "-i",
            "/dev/null",
            *options,
            "-o",
            "ConnectTimeout=20",
            f"root@{address}",
            "true",
        ],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def _answers(address, source):
    done = subprocess.run(
        ["curl", "-sS", "--max-time", "3", "--interface", source, f"telnet://{address}:22"],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return b"SSH-" in done.stdout
