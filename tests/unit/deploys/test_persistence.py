"""When a running Redis is switched, what is forgotten with it, and when it need not restart."""

import subprocess

import pytest

from deploys.facts.persistence import Persistence, RedisPersistence
from deploys.persistence import Switch, script
from deploys.redis_server import RedisServer

OURS, OTHER = "digest of what is wanted", "digest of the same with the other choice"


@pytest.mark.parametrize(
    ("persist", "writes", "kept", "started_with", "switch", "forget", "take_up"),
    [
        (True, True, True, OURS, False, False, False),
        (True, False, False, OTHER, True, False, True),
        (False, True, True, OTHER, True, True, True),
        (False, False, False, OURS, False, False, False),
        # Cut short after the switch, and ahead of what follows from it.
        (True, True, True, OTHER, False, False, True),
        (False, False, True, OTHER, False, True, True),
        # Another setting is changed as well: a restart is due, but not before it is switched.
        (True, False, False, "another", True, False, False),
        # A log of earlier days, in the place of a Redis that keeps nothing.
        (False, False, True, OURS, False, True, False),
        # It does not run: it begins with what its configuration says.
        (True, None, False, OTHER, False, False, False),
        (False, None, True, OTHER, False, True, False),
    ],
)
def test_what_is_due_follows_from_what_the_process_does(persist, writes, kept, started_with, switch, forget, take_up):
    due = Switch.to(persist, Persistence(writes, kept, started_with), OTHER)
    assert (due.switch_process, due.delete_log, due.note_configuration) == (switch, forget, take_up)


@pytest.mark.parametrize("persist", [True, False])
@pytest.mark.parametrize("name", ["redis-server", "redis-server@health-v1"])
def test_the_script_is_shell_and_switches_before_it_forgets(persist, name):
    due = Switch(switch_process=True, delete_log=not persist, note_configuration=True, is_running=True)
    text = script(RedisServer(name), persist, due)
    subprocess.run(["sh", "-n"], input=text, text=True, check=True)
    steps = [text.index(step) for step in ("\nswitch ", *(["\nrm -rf"] * (not persist)), "$stamp.new")]
    assert steps == sorted(steps)


def test_no_argument_holds_the_password_that_the_switch_logs_in_with():
    text = script(
        RedisServer(), True, Switch(switch_process=True, delete_log=False, note_configuration=False, is_running=True)
    )
    using = [line.strip() for line in text.splitlines() if "$word" in line]
    assert len(using) == 2
    assert all("printf" in line for line in using)  # which is the shell's own, and no process


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ([], Persistence()),
        (["writes=no", "with=abc"], Persistence(is_writing=False, started_with="abc")),
        (["writes=yes", "kept=yes", "kept=yes"], Persistence(is_writing=True, log_exists=True)),
    ],
)
def test_what_the_host_tells_is_read(output, found):
    assert RedisPersistence().process(output) == found
