"""A maintenance as visitors, operators and systemd see it: who is kept out, how long, and what goes on meanwhile."""

import json
import subprocess
import time
from contextlib import contextmanager
from datetime import datetime, timezone

import pytest

from healthv1.sandbox.power import reboot

MESSAGE = """A restore of <b>yesterday's</b> "data" & more."""
ORIGIN = "https://app.sandbox.test"
BROWSER = ("-H", "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
SITE = "/etc/nginx/sites-available/health-v1"
NOTED = "/var/lib/healthv1/maintenance/on"


@contextmanager
def _closed(world, *options):
    world.must("maintenance", "on", "sandbox", "--message", MESSAGE, *options)
    try:
        yield
    finally:
        world.must("maintenance", "off", "sandbox")


def _answer(world, *arguments, url="/v1/patients"):
    """Return the status, the headers by lower-case name, and the body."""
    head, _, body = world.curl("-i", *arguments, url=url).stdout.replace("\r", "").partition("\n\n")
    first, *lines = head.splitlines()
    return (
        int(first.split()[1]),
        {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)},
        body,
    )


@pytest.fixture
def stranger(deployed):
    """An address of somebody else's on this machine."""
    gateway = deployed.running.gateway
    address = gateway.rsplit(".", 1)[0] + ".98"
    shown = subprocess.run(
        ["ip", "-o", "-4", "addr", "show", "to", gateway], capture_output=True, text=True, check=True
    )
    bridge = shown.stdout.split()[1]
    subprocess.run(["ip", "addr", "add", f"{address}/24", "dev", bridge], check=True)
    yield "--interface", address
    subprocess.run(["ip", "addr", "del", f"{address}/24", "dev", bridge], check=True)


def test_everybody_is_answered_503_with_the_message_and_health_goes_on_for_whoever_operates(mended, stranger, tmp_path):
    large = tmp_path / "large"
    large.write_bytes(b" " * 3_000_000)
    asked = {
        "an API client": (),
        "one that posts": ("-X", "POST", "-d", "{}", "-H", "Content-Type: application/json"),
        "a large body": ("--data-binary", f"@{large}", "-H", "Content-Type: application/json"),
        "who prefers JSON": ("-H", "Accept: application/json, text/html;q=0.5"),
        "an old one": ("--http1.0",),
        "a page of ours": ("-H", f"Origin: {ORIGIN}"),
    }
    before = _answer(mended, url="/nowhere")[1]
    workers = mended.shell("pgrep -f '^nginx: worker'")
    with _closed(mended, "--until", "45m"):
        for who, arguments in asked.items():
            status, headers, body = _answer(mended, *arguments)
            document = json.loads(body)
            assert (status, headers["retry-after"], headers["content-type"]) == (
                503,
                "60",
                "application/problem+json",
            ), who
            assert (document["status"], document["title"], document["detail"]) == (
                503,
                "Service Unavailable",
                MESSAGE,
            ), who
            left = datetime.fromisoformat(document["until"].replace("Z", "+00:00")) - datetime.now(timezone.utc)
            assert 0 < left.total_seconds() <= 45 * 60
            for name in (
                "strict-transport-security",
                "content-security-policy",
                "x-content-type-options",
                "cache-control",
            ):
                assert headers[name] == before[name], (who, name)
            assert headers.get("access-control-allow-origin") == (ORIGIN if who == "a page of ours" else None)

        status, headers, body = _answer(mended, *BROWSER)
        assert (status, headers["retry-after"], headers["content-type"]) == (503, "60", "text/html; charset=utf-8")
        assert "A restore of &lt;b&gt;yesterday&#39;s&lt;/b&gt; &#34;data&#34; &amp; more." in body
        assert "UTC on" in body
        status, headers, body = _answer(mended, "-I", url="/")
        assert (status, headers["retry-after"], body) == (503, "60", "")
        for path in (
            "/",
            "/metrics",
            "/v1/auth/login",
            "/__maintenance",
            "/__closed",
            "/__problem",
            "/health%20",
            "/health/x",
        ):
            assert _answer(mended, url=path)[0] == 503, path

        asks = (
            "-X",
            "OPTIONS",
            "-H",
            "Access-Control-Request-Method: PATCH",
            "-H",
            "Access-Control-Request-Headers: if-match",
        )
        status, headers, _ = _answer(mended, *asks, "-H", f"Origin: {ORIGIN}")
        assert (status, headers["access-control-allow-origin"]) == (204, ORIGIN), (
            "it may read the 503 of what it asks then"
        )
        assert (headers["access-control-allow-methods"], headers["access-control-allow-headers"]) == (
            "PATCH",
            "if-match",
        )
        status, headers, _ = _answer(mended, *asks, "-H", "Origin: https://elsewhere.example")
        assert (status, "access-control-allow-methods" in headers) == (503, False)

        for path in ("/health", "/health/ready"):
            assert _answer(mended, url=path)[0] == 200, "the operator's own address"
            assert _answer(mended, *stranger, url=path)[0] == 503
            for there in ("127.0.0.1", mended.running.edge.address):
                at = f"--resolve {mended.running.domain}:443:{there} https://{mended.running.domain}{path}"
                assert mended.shell(f"curl -ks -o /dev/null -w %{{http_code}} --noproxy '*' {at}") == "200", there
        acme = "/var/www/acme/.well-known/acme-challenge"
        mended.shell(f"mkdir -p {acme} && echo challenge > {acme}/maintenance")
        challenge = f"http://{mended.running.domain}/.well-known/acme-challenge/maintenance"
        plain = ("--resolve", f"{mended.running.domain}:80:{mended.running.edge.address}")
        assert _answer(mended, *plain, url=challenge)[2] == "challenge\n"
        mended.shell(f"rm {acme}/maintenance")

        mended.shell(f"mv {NOTED}/page.html {NOTED}/moved")
        status, _, body = _answer(mended, *BROWSER)
        assert (status, json.loads(body)["status"]) == (503, 503), "it ended this moment"
        mended.shell(f"mv {NOTED}/moved {NOTED}/page.html")
        assert mended.shell("health-v1-maintenance").splitlines()[-1] == f"message={MESSAGE}"
        assert mended.shell("runuser -u nobody -- health-v1-maintenance && echo closed") == "closed\n"
    assert mended.shell("pgrep -f '^nginx: worker'") == workers, "nothing was reloaded, so nothing was cut"
    assert _answer(mended, *stranger, url="/health/ready")[0] == 200
    assert _answer(mended)[0] == 401
    assert mended.shell("health-v1-maintenance || echo $?") == "1\n"
    assert _answer(mended, url="/__maintenance")[0] == 404


def test_verify_says_it_once_an_apply_passes_its_gates_and_a_site_of_earlier_times_is_refused(mended, driver):
    mended.shell(f"sed -i 's#location = /maintenance#location = /another#' {SITE} && systemctl reload nginx && sleep 1")
    refused = mended.cli("maintenance", "on", "sandbox")
    assert refused.returncode == 1
    assert "does not know maintenances yet" in refused.stderr
    assert "Hint:  healthv1 apply sandbox\n" in refused.stderr
    driver.apply().assert_faithful()
    with _closed(mended):
        code, report = mended.json("verify", "sandbox")
        (red,) = [finding for finding in report["findings"] if not finding["holds"]]
        assert (code, red["component"], red["hint"]) == (1, "maintenance", "healthv1 maintenance off sandbox")
        assert MESSAGE in red["evidence"]
        assert red["evidence"].startswith("maintenance is on until ")
        tried = {finding["component"] for finding in report["findings"]}
        assert {"nginx", "api", "postgresql", "outside"} <= tried
        assert "canary" not in tried
        mended.shell(f"echo '# edited' >> {SITE}")
        done = driver.apply()
        done.assert_faithful()
        assert len(done.made) == 2, "the site and its reload, and nothing of the maintenance"
        assert _answer(mended)[0] == 503
        code, told = mended.json("maintenance", "on", "sandbox", "--message", "Soon.", "--until", "2h")
        assert (code, told["changed"], told["hosts"]["host1"]["before"]["message"]) == (0, True, MESSAGE)
        assert json.loads(_answer(mended)[2])["detail"] == "Soon."
    code, told = mended.json("maintenance", "off", "sandbox")
    assert (code, told["changed"], told["hosts"]["host1"]["before"]) == (0, False, {"state": "off"})
    runs = [
        run for run in mended.json("journal", "show", "sandbox")[1]["runs"] if run["command"].startswith("maintenance")
    ]
    assert [run["command"] for run in runs[-3:]] == ["maintenance on", "maintenance off", "maintenance off"]


def test_it_outlives_a_reboot_and_ends_by_itself_when_its_time_is_over(mended):
    mended.must("maintenance", "on", "sandbox")
    reboot(mended.sandbox, mended.running.hosts[0])
    assert _soon(mended, {401, 502, 503}) == 503, "the first visitor was let in"
    assert mended.shell("systemctl is-active health-v1-maintenance.service") == "active\n"
    mended.shell(
        f"sed -i 's/^until=.*/until=soon/' {NOTED}/record; systemctl kill -s KILL health-v1-maintenance.service"
    )
    mended.shell("sleep 7")
    assert _answer(mended)[0] == 503, "who cannot read when it ends lets nobody in"
    mended.shell(f"sed -i 's/^until=.*/until=1/' {NOTED}/record")
    assert _soon(mended, {401}) == 401
    assert mended.shell(f"readlink {NOTED} || echo gone") == "gone\n"
    assert mended.json("maintenance", "off", "sandbox")[1]["changed"] is False


def _soon(world, statuses):
    """Return the first status among these, or the last that was answered within half a minute."""
    status, until = 0, time.monotonic() + 30
    while status not in statuses and time.monotonic() < until:
        told = world.curl("-o", "/dev/null", "-w", "%{http_code}", url="/v1/patients").stdout
        status = int(told or 0)
        time.sleep(0.3)
    return status
