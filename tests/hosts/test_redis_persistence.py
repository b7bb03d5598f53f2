"""Whether Redis keeps what it holds on disk is switched while it serves: no session is lost, and none lives again."""

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.hosts.world import quoted

UNIT = "redis-server@health-v1"
KEPT = "/var/lib/redis-health-v1/appendonlydir"
PROCESS = f"systemctl show -p MainPID --value {UNIT}"
USERS = "cut -d' ' -f2 /etc/redis/health-v1.acl | xargs"

# Kills the shell that runs it, and what started that, at the one moment: before Redis is told, or when it has been.
KILLS = r"""cat > /usr/local/bin/redis-cli <<'END'
#!/bin/sh
said=$(cat)
case $said in *"CONFIG SET"*) [ ! -e /run/late ] || printf '%s\n' "$said" | /usr/bin/redis-cli "$@"
  pid=$$ all=
  while [ "$(ps -o comm= -p $pid)" != sudo ]; do pid=$(ps -o ppid= -p $pid | tr -d ' '); all="$all $pid"; done
  kill -9 $all;;
*) printf '%s\n' "$said" | /usr/bin/redis-cli "$@";; esac
END
chmod 755 /usr/local/bin/redis-cli"""


@pytest.fixture
def sessions(mended):
    """The deployed host, with 200 sessions."""
    _redis(mended, "; ".join(f"echo SET session:{i} of-{i} EX 9000" for i in range(200)))
    yield mended
    mended.shell("rm -f /usr/local/bin/redis-cli /run/late")
    _redis(mended, "; ".join(f"echo DEL session:{i}" for i in range(200)))


def _redis(world, commands):
    """Say them as the API does; return the answers."""
    auth = quoted(world.kept["redis_password"])
    return world.shell(f"({commands}) | REDISCLI_AUTH={auth} /usr/bin/redis-cli 2>/dev/null").split()


def _alive(world):
    return sum(map(int, _redis(world, "; ".join(f"echo EXISTS session:{i}" for i in range(200)))))


def _with(project, redis):
    """Return a copy of the team's files with these settings: of files that change, pyinfra keeps the old text."""
    copy = Path(tempfile.mkdtemp(dir=project))
    for name in ("inventories", "group_data"):
        shutil.copytree(project / name, copy / name)
    with (copy / "group_data/sandbox.py").open("a") as settings:
        settings.write(f"\nfrom deploys.redis.settings import Redis\nredis = {redis}\n")
    return copy


def _actions(outcome):
    return [change["action"] for *_, change in outcome.planned]


def test_switching_loses_nothing_and_brings_back_nothing(sessions, driver, project):
    process = sessions.shell(PROCESS)
    off = driver.apply(_with(project, "Redis(persist=False)"))
    off.assert_faithful()
    assert _actions(off) == ["update", "update", "remove"]
    assert (_alive(sessions), sessions.shell(PROCESS)) == (200, process)
    assert sessions.shell(f"! test -e {KEPT} && echo gone") == "gone\n"

    _redis(sessions, "echo DEL session:0; echo SET session:1 again EX 9000")
    settings = _with(project, "Redis()")
    on = driver.apply(settings)
    on.assert_faithful()
    assert _actions(on) == ["update", "update"]
    assert sessions.shell(PROCESS) == process
    sessions.shell(f"systemctl restart {UNIT}")
    assert _alive(sessions) == 199
    assert _redis(sessions, "echo GET session:1") == ["again"]
    code, report = sessions.json("verify", "sandbox", cwd=settings)
    assert code == 0, [finding for finding in report["findings"] if not finding["holds"]]


@pytest.mark.long(90)
def test_a_switch_that_is_cut_short_is_finished_by_the_next_apply(sessions, driver, project, subtests):
    for late in (False, True):
        for persist in (False, True):
            with subtests.test(f"to {persist}, {'after' if late else 'before'} it is told"):
                sessions.shell(f"{KILLS}; rm -f /run/late; {'touch /run/late' if late else ':'}")
                settings = _with(project, f"Redis(persist={persist})")
                assert driver.apply(settings).faults
                assert sessions.shell(USERS) == "default probe health-v1-switch\n"
                assert _alive(sessions) == 200
                sessions.shell("rm /usr/local/bin/redis-cli")
                again = driver.apply(settings)
                again.assert_faithful()
                assert "restart" not in _actions(again)
                assert (sessions.shell(USERS), _alive(sessions)) == ("default probe\n", 200)
                assert sessions.shell(f"if test -e {KEPT}; then echo True; else echo False; fi") == f"{persist}\n"


@pytest.mark.long(70)
def test_another_change_keeps_what_is_on_disk_and_says_what_is_not(sessions, driver, project):
    driver.apply(_with(project, "Redis(memory=96)")).assert_faithful()
    assert _alive(sessions) == 200
    driver.apply(_with(project, "Redis(memory=96, persist=False)")).assert_faithful()
    both = driver.apply(_with(project, "Redis(memory=112)"))
    both.assert_faithful()
    assert (_actions(both)[-1], _alive(sessions)) == ("restart", 200)
    driver.apply(_with(project, "Redis(memory=112, persist=False)")).assert_faithful()
    memory_only = driver.apply(_with(project, "Redis(persist=False)"))
    memory_only.assert_faithful()
    effects = [change["effect"] for *_, change in memory_only.planned if change["action"] == "restart"]
    assert ["it begins empty: who was logged in has to log in again" in effect for effect in effects] == [True]
    assert _alive(sessions) == 0
    driver.apply(_with(project, "Redis()")).assert_faithful()
