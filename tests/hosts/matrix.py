"""The states that a plan has to tell the truth of: a drift, several, other settings, an apply that was killed."""

import re
import signal
import subprocess
import sys
import time

from tests.hosts.draws import HIDING
from tests.hosts.world import REPOSITORY

DEPLOYS = REPOSITORY / "deploys"
UNREAD = "that systemd has not read"
"""Of definitions: where an apply stops ahead of a restart, it may have had systemd read them by then, and no plan sees
what is read and not in use. docs/fidelity.md says so."""
UPGRADE = """
from deploys.api.settings import Api
from deploys.fail2ban.settings import Fail2ban
from deploys.nginx.settings import Nginx
from deploys.pgbouncer.settings import Pgbouncer
from deploys.redis.settings import Redis
from deploys.ufw.settings import Allow, Ufw
from deploys.user.settings import User
from healthv1.release import Bundled

ufw = Ufw(extra=(Allow(port=8443, source="192.0.2.0/24"),), logging="off")
fail2ban = Fail2ban(maxretry=6)
postgresql = Postgresql(memory=1, max_connections=120, parameters={"work_mem": "8MB"})
redis = Redis(memory=96)
user = User(owned=("logs", "data", "uploads"))
pgbouncer = Pgbouncer(default_pool_size=20)
stack = Stack(domain="api.sandbox.test", environment="sandbox", instances=(8080, 8082))
environment = Environment(
    cors_allowed_origins=("https://other.sandbox.test",), smtp_host="localhost", require_escrow=False
)
api = Api(release=Bundled(), limit_nofile=32768)
nginx = Nginx(worker_connections=2048)
"""
"""Other values for nearly every component."""


def mends(world, driver, *drifts):
    """Break the world, apply, and see that the plan told what was mended, and that it is."""
    for drift in drifts:
        world.shell(f"{drift.command}\n{_broken(drift)}")
    for drift in drifts[:-1]:
        world.shell(_broken(drift))  # else the later ones exclude it: draws.py has a list
    told, hiding = driver.apply(), HIDING & set(map(str, drifts))
    planned = list(told.planned)
    while told.faults and hiding:  # each of them is up by the next
        hiding.pop()
        told.assert_stopped_ahead_of("no plan could see", "no plan named it")
        for drift in drifts:
            if UNREAD in str(drift):
                world.shell(drift.command)
        told = driver.apply()
        planned += told.planned
    told.assert_faithful()
    for drift in drifts:
        targets = " ".join(change["target"] for _, title, _, change in planned if title == _title(drift))
        assert drift.names in targets, f"{drift}: the plan does not name {drift.names}: {targets}"
        world.shell(drift.holds)


def _title(drift):
    """Return what a plan calls the drift's component."""
    return re.search(r'@deploy\("(.*)"\)', (DEPLOYS / drift.component / "deploy.py").read_text())[1]


def _broken(drift):
    return f"! ( {drift.holds}\n) >/dev/null 2>&1"


def upgraded(project):
    """Give a copy of the team's files other settings."""
    with (project / "group_data/sandbox.py").open("a", encoding="utf-8") as settings:
        settings.write(UPGRADE)
    return project


def takes_up(world, driver, project, chance, kills):
    """Go to other settings, and back, as planned: also where so many applies were killed on the way."""
    for _ in range(kills):
        killed(world, project, chance)
    driver.apply(project).assert_faithful()
    back = driver.apply()
    back.assert_faithful()
    assert len(back.planned) > 15, "that many settings differ"


def killed(world, project, chance):
    """Start an apply and kill it after some changes, amid whatever it does then; return after how many."""
    process = subprocess.Popen(
        [sys.executable, "-m", "healthv1", "apply", "sandbox", "--yes"],
        cwd=project,
        env=world.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    changes, wanted = 0, chance.randint(1, 12)
    for line in process.stderr:
        changes += bool(re.search(r"  host1  \w", line))
        if changes == wanted:
            break
    time.sleep(chance.uniform(0, 1))
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it had ended before it was killed"
    at_rest(world)
    unlock(world)
    return changes


def unlock(world):
    """Do without the lease of who was killed: that one waits for it, and then works, test_lock.py tries."""
    world.shell("rm -f /var/lib/healthv1/lock")


def at_rest(world):
    """Wait until the host has done what a killed apply had sent it: sudo runs for that, and for this question."""
    world.shell('for i in $(seq 600); do [ "$(pgrep -cx sudo)" -gt 1 ] || exit 0; sleep 0.2; done; exit 1')
