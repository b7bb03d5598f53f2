"""One host with everything: it is what the plan said, stays so, and works for a visitor."""

import json
import subprocess
import sys

import pytest

from tests.hosts.world import REPOSITORY


def test_the_plan_after_an_apply_is_empty_another_apply_changes_nothing_and_both_ask_in_three_rounds(deployed, counted):
    code, plan, count = counted("plan", "sandbox")
    assert (code, plan["steps"], plan["faults"]) == (0, [], [])
    assert count["hosts"]["host1"]["rounds"] <= 3, count
    code, applied, count = counted("apply", "sandbox", "--yes")
    assert (code, applied["changes"]) == (0, 0)
    assert count["hosts"]["host1"]["rounds"] <= 3, count


def test_an_apply_of_one_change_asks_at_once_what_the_operations_after_it_ask(mended, counted):
    mended.shell("chmod 666 /etc/ufw/user.rules")
    code, applied, count = counted("apply", "sandbox", "--yes")
    assert (code, applied["changes"]) == (0, 1)
    assert count["hosts"]["host1"]["rounds"] <= 20, count


_APART = """cd /var/lib; rm health-v1; mkdir -m 0700 health-v1; cd healthv1
mv applied prepared logins postgresql.* redis-probe* ../health-v1; ls /var/lib/health-v1"""
_BEGUN = (
    "systemctl show -p ActiveEnterTimestampMonotonic --value postgresql@* redis-server@* nginx fail2ban pgbouncer@*"
)


def test_what_earlier_versions_noted_in_a_folder_of_its_own_moves_alone_and_nothing_begins_anew(mended):
    assert {"applied", "redis-probe", "logins"} <= set(mended.shell(_APART).split())
    before = mended.shell(_BEGUN)
    code, plan = mended.json("plan", "sandbox")
    changes = [change for step in plan["steps"] for change in step["changes"]]
    assert (code, [(change["was"], change["target"]) for change in changes]) == (
        2,
        [("a folder, whose files move", "/var/lib/health-v1")],
    )
    mended.must("apply", "sandbox", "--yes")
    assert mended.json("plan", "sandbox")[1]["steps"] == []
    assert mended.shell("readlink /var/lib/health-v1; ls /var/lib/healthv1/applied | head -1").split()[0] == (
        "/var/lib/healthv1"
    )
    assert mended.shell("ls -d /var/lib/health-v1.*  2>/dev/null || true") == ""
    assert mended.shell(_BEGUN) == before


@pytest.fixture
def counted(deployed, tmp_path):
    """Return a function that runs a command: its exit code, its document, and the SSH channels that it took."""

    def run(*arguments):
        argv = [sys.executable, "-m", "benchmarks.counted", str(tmp_path / "count"), *arguments, "--json"]
        done = subprocess.run(argv, cwd=REPOSITORY, env=deployed.environment, capture_output=True, check=False)
        return done.returncode, json.loads(done.stdout), json.loads((tmp_path / "count").read_text())

    return run


def test_every_claim_holds(deployed):
    code, report = deployed.json("verify", "sandbox")
    assert [one for one in report["findings"] if not one["holds"]] == []
    assert (code, report["holds"]) == (0, True)
    components = {one["component"] for one in report["findings"]}
    assert components >= {"postgresql", "pgbouncer", "redis", "api", "nginx", "certbot", "ufw", "fail2ban", "outside"}


def test_a_visitor_is_served_over_https_with_a_trusted_certificate(deployed):
    answer = deployed.curl("-w", "\n%{http_code} %{ssl_verify_result}")
    body, _, codes = answer.stdout.rpartition("\n")
    assert (json.loads(body)["status"], codes) == ("ready", "200 0")


def test_the_website_speaks_ipv6_too(deployed):
    found = deployed.running
    to = f"{found.domain}:443:[{found.edge.address6}]"
    answer = deployed.curl("-6", "--resolve", to)
    assert json.loads(answer.stdout)["status"] == "ready"


def test_no_data_service_is_reachable_from_outside(deployed):
    host = deployed.running.hosts[0]
    for port in (5432, 6432, 6379, 8080, 8081, 9080, 9081):
        for address in (host.address, host.address6):
            target = f"telnet://[{address}]:{port}" if ":" in address else f"telnet://{address}:{port}"
            argv = ["curl", "-sS", "--max-time", "1", target]
            tried = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
            assert tried.returncode in {7, 28}, f"{address}:{port} answered: {tried.returncode}"


def test_postgresql_runs_with_the_tuned_settings_and_scram(deployed):
    shown = deployed.shell(
        'runuser -u postgres -- psql -XAtc "select name, setting from pg_settings where name in '
        "('password_encryption', 'checkpoint_completion_target', 'random_page_cost', 'ssl')\""
    )
    assert dict(line.split("|") for line in shown.split()) == {
        "password_encryption": "scram-sha-256",
        "checkpoint_completion_target": "0.9",
        "random_page_cost": "1.1",
        "ssl": "on",
    }
    roles = deployed.shell(
        'runuser -u postgres -- psql -XAtc "select rolname, rolsuper, rolcreatedb, rolcreaterole, '
        "rolcanlogin, left(rolpassword, 13) "
        "from pg_authid where rolname like 'health%' order by 1\""
    )
    assert roles.split() == [
        "health_owner|f|f|f|t|SCRAM-SHA-256",
        "health_user|f|f|f|f|",
        "health_user_a|f|f|f|t|SCRAM-SHA-256",
    ]


def test_the_api_runs_unprivileged_from_the_current_release(deployed):
    eye = deployed.eye()
    for port in (8080, 8081):
        unit = eye.service(f"health-v1-api@{port}")
        assert unit.is_running
        assert unit.is_enabled
        assert eye.socket(f"tcp://127.0.0.1:{port}").is_listening
    assert eye.file("/opt/health-v1/current").is_symlink
    env = eye.file("/opt/health-v1/.env")
    assert (env.user, env.group, env.mode) == ("root", "root", 0o600)
    owners = deployed.shell("ps -o user= -p $(systemctl show -p MainPID --value health-v1-api@8080)")
    assert owners.split() == ["health-v1"]


def test_plain_pyinfra_sees_nothing_to_do_and_prints_no_secret(deployed):
    password = deployed.shell("sed -n 's/^JWT_SECRET=//p' /opt/health-v1/.env").strip().strip('"')
    assert len(password) > 60
    for flags in (["--dry", "--diff"], ["-y", "-vvv", "--diff"]):
        done = subprocess.run(
            ["pyinfra", *flags, "inventories/sandbox.py", "deploys/site.py"],
            cwd=REPOSITORY,
            env={**deployed.environment, "PYINFRA_PROGRESS": "off"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        printed = done.stdout + done.stderr
        assert done.returncode == 0, printed[-3000:]
        assert password not in printed
        assert password[:20] not in printed
    assert deployed.json("plan", "sandbox")[0] == 0


def test_after_a_reboot_every_claim_holds_without_a_deploy(mended):
    from healthv1.sandbox.power import reboot

    reboot(mended.sandbox, mended.running.hosts[0])
    code, report = _verified(mended)
    assert code == 0, [one for one in report["findings"] if not one["holds"]]
    assert mended.json("plan", "sandbox")[1]["steps"] == []


def _verified(world, tries=10):
    """Verify as soon as the host has had a moment to start what it starts at boot."""
    import time

    for _ in range(tries):
        code, report = world.json("verify", "sandbox")
        if code == 0:
            break
        time.sleep(2)
    return code, report
