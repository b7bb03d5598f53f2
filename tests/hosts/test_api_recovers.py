"""What the API needs goes away and comes back: it says so, and serves again by itself."""

import base64
import json
import secrets
import time

import pytest

STOP_POSTGRESQL = "systemctl stop 'postgresql@*.service'"
OUTAGES = [
    ("Redis", "systemctl stop redis-server@health-v1", "systemctl start redis-server@health-v1", "redis"),
    ("PostgreSQL", STOP_POSTGRESQL, "systemctl restart postgresql", "database"),
    ("the pooler", "systemctl stop health-v1-pgbouncer", "systemctl start health-v1-pgbouncer", "database"),
]
LOGIN = "cat /var/lib/health-v1/redis-probe"
SERVES = {
    "postgresql@17-health.service": 'cd /; runuser -u postgres -- psql -XAtqc "select 1" health_v1_prod',
    "redis-server@health-v1.service": f"{{ {LOGIN}; echo PING; }} | redis-cli | grep -x PONG",
    "health-v1-pgbouncer.service": "psql -XAtq 'host=127.0.0.1 port=6432 user=nobody dbname=health_v1_prod' 2>&1"
    " | grep -i 'SASL\\|password\\|auth'",
    "health-v1-api@8080.service": "curl -fsS 127.0.0.1:8080/health/ready",
    "health-v1-api@8081.service": "curl -fsS 127.0.0.1:8081/health/ready",
    "nginx.service": "curl -fsSk --resolve api.sandbox.test:443:127.0.0.1 https://api.sandbox.test/health/ready",
    "fail2ban.service": "fail2ban-client status health-v1-sshd",
    "ssh.service": "curl -s --max-time 2 telnet://127.0.0.1:22 </dev/null | grep -a SSH-",
}
"""Told apart from our own code: whether each of our units does its work, and of SSH, whom we only tell a little."""
OURS = """cd /etc/systemd/system
grep -rl 'Managed by healthv1' . | sed -nE 's#^./([^/]+[.]service)([.]d/.*)?$#\\1#p' | sort -u"""
BUSY = "systemd-run -q --collect runuser -u postgres -- psql -c 'select count(*) from generate_series(1, 1e12)'"
"""A process of PostgreSQL's that outlives the one that is killed, unless it is ended first."""
AGAIN = 30
"""Seconds at most, until what was killed serves again."""
PROCESSES = "systemctl show -p MainPID -p NRestarts 'health-v1-api@8080' 'health-v1-api@8081'"
REFUSAL = "Error: MASTER_KEY: does not open the keys that the database holds. Nothing was written."


def _asked(world, path="/health/ready"):
    """Return the statuses and the documents that Nginx answers with; both instances are among those asked."""
    answers = [world.curl("-w", "\n%{http_code}", url=path).stdout.rpartition("\n") for _ in range(6)]
    return {int(status) for _, _, status in answers}, {body for body, _, _ in answers}


def _becomes(world, status, within=15):
    """Wait until every answer has this status; return the one document of them all."""
    deadline = time.monotonic() + within
    while True:
        statuses, documents = _asked(world)
        if statuses == {status}:
            (document,) = documents
            return json.loads(document)
        assert time.monotonic() < deadline, documents
        time.sleep(0.2)


@pytest.mark.parametrize(("gone", "stop", "start", "part"), OUTAGES, ids=[outage[0] for outage in OUTAGES])
def test_what_is_gone_is_named_and_its_return_noticed(deployed, gone, stop, start, part):
    processes = deployed.shell(PROCESSES)
    try:
        deployed.shell(stop)
        assert _becomes(deployed, 503) == {"status": "unavailable", "failing": [part]}, gone
        assert _asked(deployed, "/health")[0] == {200}
    finally:
        deployed.shell(start)
    assert _becomes(deployed, 200) == {"status": "ready"}
    assert deployed.shell(PROCESSES) == processes, "an instance was started again"


def test_a_pooler_that_restarts_is_not_waited_for(deployed):
    processes = deployed.shell(PROCESSES)
    _becomes(deployed, 200)
    deployed.shell("systemctl restart health-v1-pgbouncer")
    _becomes(deployed, 200, within=5)
    assert deployed.shell(PROCESSES) == processes


def test_whatever_process_is_killed_serves_again_by_itself(mended):
    units = {unit for unit in mended.shell(OURS).split() if unit != "health-v1-api@.service"}  # its instances run
    lasting = {unit for unit in units if "Type=oneshot" not in mended.shell(f"systemctl cat {unit}")}
    # The former when it is due, the latter while a maintenance is on.
    assert lasting - {"certbot.service", "health-v1-maintenance.service"} <= SERVES.keys(), (
        "a unit of ours is not tried here"
    )
    # In one session: sshd, too, is away for a moment.
    script = [f"begun=$(date +%s); {BUSY}; main() {{ systemctl show -p MainPID --value $1; }}"]
    script += [f"was{i}=$(main {unit})" for i, unit in enumerate(SERVES)]
    script += [f"kill -9 {' '.join(f'$was{i}' for i in range(len(SERVES)))}"]
    for i, (unit, serves) in enumerate(SERVES.items()):
        trial = f'[ "$(main {unit})" != "$was{i}" ] && ( {serves} ) >/dev/null 2>&1'
        late = f"[ $(($(date +%s) - begun)) -lt {AGAIN} ] || {{ echo {unit} does not serve; exit 1; }}"
        script.append(f"until {trial}; do {late}; sleep 0.2; done")
    mended.shell("\n".join(script))
    assert _becomes(mended, 200) == {"status": "ready"}
    assert mended.json("plan", "sandbox")[1]["steps"] == []
    stopped = "systemctl stop 'postgresql@*'; sleep 3; ! systemctl is-active 'postgresql@*'"
    mended.shell(f"{stopped}; systemctl start postgresql@17-health")
    assert _becomes(mended, 200) == {"status": "ready"}


def _state(world, unit):
    shown = world.shell(f"systemctl show -p ActiveState -p ExecMainStatus -p NRestarts {unit}")
    return dict(line.split("=") for line in shown.split())


def test_a_wrong_master_key_stops_the_start_of_one_instance_and_an_apply_mends(mended):
    wrong, since = base64.b64encode(secrets.token_bytes(32)).decode(), mended.shell("date +%s").strip()
    mended.shell(f"sed -i 's|^MASTER_KEY=.*|MASTER_KEY={wrong}|' /opt/health-v1/.env")
    mended.shell("systemctl restart health-v1-api@8080 || true")
    time.sleep(5)  # twice as long as systemd waits between two starts
    assert _state(mended, "health-v1-api@8080") == {
        "ActiveState": "failed",
        "ExecMainStatus": "78",
        "NRestarts": "0",
    }
    said = mended.shell(f"journalctl -t health-v1-api@8080 --since=@{since} -o cat --no-pager").splitlines()
    assert said.count(REFUSAL) == 1
    assert said[-1].startswith("Hint:  bring back the master key")
    assert wrong not in "".join(said)
    assert "Traceback" not in "".join(said)
    assert _asked(mended)[0] == {200}, "the other instance does not serve"
    said = mended.must("apply", "sandbox", "--yes").stdout
    assert "MASTER_KEY rotated" in said
    assert wrong not in said
    assert _state(mended, "health-v1-api@8080")["ActiveState"] == "active"
    assert _becomes(mended, 200) == {"status": "ready"}
    assert mended.json("plan", "sandbox")[1]["steps"] == []


def test_the_journal_of_the_api_is_json_without_a_traceback_or_a_secret(deployed):
    """Of all that this boot has seen, a stop and a start among it."""
    deployed.shell("systemctl restart 'health-v1-api@*'")
    _becomes(deployed, 200)
    read = "journalctl --sync; journalctl -b -o cat -t health-v1-api@8080 -t health-v1-api@8081"
    said = deployed.shell(read)
    lines = [json.loads(line) for line in said.splitlines()]
    assert sum(line["message"].startswith("Finished server process") for line in lines) >= len(("8080", "8081"))
    assert "Traceback" not in said
    assert [key for key, value in deployed.kept.items() if value in said] == []
