"""The switch to ufw's rules: its way back is armed before it, and stands down for a new connection alone.

The scripts are run for real, in a folder of their own: the kernel is two files there, systemd and iptables stand-ins.
"""

import subprocess
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
from pyinfra.api.exceptions import ConnectError
from pyinfra.connectors.ssh import SSHConnector

from deploys.facts.firewall import ROLLBACK, FirewallState
from deploys.facts.marks import Marks
from deploys.faults import Refused
from deploys.operations.firewall import SHUT_COMPLAINT, enforce_rules
from deploys.operations.rivals import RULES_SUBJECT
from deploys.paths import BEFORE, FIREWALL, MARKS
from deploys.rulesets import Firewall, Rules
from deploys.stack import Stack
from deploys.switching import START_ROLLBACK, STATE_DIR, confirm_command
from tests.unit.asked import asked

BEGUN = ("-P INPUT ACCEPT", "-P FORWARD ACCEPT", "-P OUTPUT ACCEPT")
THEIRS = ("-P INPUT DROP", *BEGUN[1:], "-A INPUT -p tcp --dport 22 -j ACCEPT")
OLD = "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"

# Each runs in the host's folder.
RESTORE = 'case $* in *--test*) exec cat >/dev/null;; esac; echo "load kernel$family" >> log; cat > kernel$family\n'
SYSTEMCTL = """echo "systemctl $*" >> log
case $* in
*is-active*timer*) [ -e armed ];;
*is-active*service) [ -e coming ] && rm -r coming run;;
start*service) sh run/back; rm -f armed;;
stop*timer) rm -f armed;;
esac
"""


def _before(ufw):
    answers = f"-A {ufw}-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    return f"*filter\n:{ufw}-before-input - [0:0]\n-A {ufw}-before-input -i lo -j ACCEPT\n{answers}\nCOMMIT\n"


def _texts(port):
    rule = "*filter\n:{0}-user-input - [0:0]\n-A {0}-user-input -p tcp --dport {1} -j ACCEPT\nCOMMIT\n"
    return {4: rule.format("ufw", port), 6: rule.format("ufw6", port)}


TEXTS = _texts(22)


def _found(kernel=BEGUN, **changed):
    families = {
        4: Rules(kernel=kernel, before_rules=_before("ufw")),
        6: Rules(kernel=kernel, before_rules=_before("ufw6")),
    }
    return Firewall(families, **changed)


def _in_force(**changed):
    def kernel(ufw):
        before = f"-A {ufw}-before-input"
        chains = (f"-A INPUT -j {ufw}-before-input", f"{before} -i lo -j ACCEPT", f"{before} -j {ufw}-user-input")
        answers = f"{before} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
        return ("-P INPUT DROP", *chains, answers, f"-A {ufw}-user-input -p tcp -m tcp --dport 22 -j ACCEPT")

    return Firewall({4: Rules(kernel("ufw"), TEXTS[4]), 6: Rules(kernel("ufw6"), TEXTS[6])}, **changed)


def _asked(found, *, ours=True, texts=TEXTS, adopt=(), ssh="true"):
    facts = {FirewallState: found, Marks: {"firewall": "ufw"} if ours else {}}
    data = {"stack": Stack(domain="api.example.com", adopt=adopt)}
    late = {family: partial(str, text) for family, text in texts.items()}
    return asked(enforce_rules, late, ssh, facts=facts, data=data).commands


class Host:
    """A host whose kernel loads what it is given."""

    def __init__(self, root):
        self.root = root
        (root / "bin").mkdir()
        for family in ("", "6"):
            self.program(f"ip{family}tables-restore", f"family={family}\n{RESTORE}")
            self.program(f"ip{family}tables-save", f"cat kernel{family}\n")
            self.program(f"ip{family}tables", "")
            (root / f"kernel{family}").write_text(OLD)
        self.program("systemctl", SYSTEMCTL)
        self.program("systemd-run", 'echo "systemd-run $*" >> log; touch armed\n')
        for name in ("nft", "sysctl"):
            self.program(name, "")

    def program(self, name, text):
        path = self.root / "bin" / name
        path.write_text(f"#!/bin/sh\ncd {self.root}\n{text}")
        path.chmod(0o755)

    def run(self, words, stdin=""):
        places = {STATE_DIR: "run", FIREWALL: "kept", MARKS: "ours", BEFORE: "before", "/etc/ufw": "ufw"}
        for path, name in places.items():
            words = [word.replace(path, f"{self.root}/{name}") for word in words]
        environment = {"PATH": f"{self.root}/bin:/usr/bin:/bin"}
        return subprocess.run(words, input=stdin, env=environment, capture_output=True, text=True, check=False)

    def switch(self, texts=TEXTS, ssh="true"):
        command, _ = _asked(_found(), texts=texts, ssh=ssh)
        return self.run(["sh", "-c", command.get_raw_value()], command.connector_arguments["_stdin"])

    def confirm(self, ssh="true"):
        return self.run(confirm_command(ssh))

    @property
    def log(self):
        return (self.root / "log").read_text().splitlines()

    @property
    def kernel(self):
        return [(self.root / name).read_text() for name in ("kernel", "kernel6")]

    @property
    def armed(self):
        return (self.root / "armed").exists()


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def _is_new(kernel, port=22):
    return all(f"--dport {port} -j ACCEPT" in text for text in kernel)


def test_the_way_back_is_armed_before_the_kernel_is_given_a_rule_and_leads_back(host):
    done = host.switch()
    assert (done.returncode, done.stderr) == (0, "")
    assert _is_new(host.kernel)
    (armed,) = (number for number, line in enumerate(host.log) if line.startswith("systemd-run "))
    assert armed < host.log.index("load kernel")
    words = host.log[armed].split()
    assert {f"--unit={ROLLBACK}", "--on-active=45"} <= set(words)
    assert host.run(words[-2:]).returncode == 0
    assert host.kernel == [OLD, OLD]


def test_where_no_way_back_can_be_armed_nothing_is_loaded(host):
    host.program("systemd-run", "exit 1\n")
    assert host.switch().returncode != 0
    assert host.kernel == [OLD, OLD]


def test_rules_that_did_not_arrive_whole_are_not_loaded(host):
    command, _ = _asked(_found())
    text = command.connector_arguments["_stdin"]
    for end in (len(text) // 2, text.index("== end")):
        done = host.run(["sh", "-c", command.get_raw_value()], text[:end])
        assert "did not arrive whole" in done.stderr
        assert host.kernel == [OLD, OLD]


def test_rules_that_would_not_let_ssh_in_are_taken_back_at_once(host):
    assert host.switch(ssh="false").returncode == 1
    assert (host.kernel, host.armed) == ([OLD, OLD], False)


def test_a_switch_that_nobody_confirmed_is_taken_back_before_the_next_so_that_its_way_leads_to_what_held(host):
    host.switch()
    assert host.switch(_texts(443)).returncode == 0
    assert _is_new(host.kernel, 443)
    assert host.armed
    host.run(["sh", f"{host.root}/run/back"])
    assert host.kernel == [OLD, OLD]


def test_the_way_back_stands_down_once_it_is_confirmed(host):
    host.switch()
    done = host.confirm()
    assert (done.returncode, host.armed, _is_new(host.kernel)) == (0, False, True)


def test_where_the_kernel_does_not_let_ssh_in_the_way_back_stays_armed(host):
    host.switch()
    assert host.confirm(ssh="false").returncode == 1
    assert host.armed


@pytest.mark.parametrize("meanwhile", ["gone", "coming"])
def test_what_came_back_or_is_about_to_is_not_taken_for_confirmed(host, meanwhile):
    host.switch()
    if meanwhile == "gone":
        host.run(["sh", f"{host.root}/run/back"])
    else:
        (host.root / "coming").touch()
    done = host.confirm()
    assert done.returncode == 1
    assert "came back before this arrived" in done.stderr


def _confirms(command):
    return "stop health-v1-ufw-rollback.timer" in command.get_raw_value() and "--on-active" not in (
        command.get_raw_value()
    )


def test_what_was_never_confirmed_is_confirmed_though_no_rule_changes():
    (command,) = _asked(_in_force(unconfirmed=True))
    assert _confirms(command)
    assert _asked(_in_force()) == []


def test_each_switch_is_followed_by_its_confirmation():
    for found in (_found(), _found(unconfirmed=True), replace(_in_force(), families=_found().families)):
        first, last = _asked(found)
        assert "--on-active" in first.get_raw_value()
        assert _confirms(last)


class Connection(SSHConnector):
    """One over which commands are noted."""

    def __init__(self, lets_in):
        self.lets_in, self.noted, self.client, self.new = lets_in, [], object(), False

    def connect(self):
        if not self.lets_in:
            raise ConnectError("no answer")
        self.new, self.client = True, SimpleNamespace(close=lambda: None)

    def run_shell_command(self, command, **_):
        self.noted.append(("new" if self.new else "old", command.get_raw_value()))
        return True, None


def _executed(command, connection):
    state = SimpleNamespace(print_output=False, print_input=False)
    return command.execute(state, SimpleNamespace(connector=connection), {})


def test_only_a_new_connection_confirms():
    command = _asked(_in_force(unconfirmed=True))[-1]
    connection = Connection(lets_in=True)
    assert _executed(command, connection)[0]
    assert connection.noted == [("new", command.get_raw_value())]


def test_where_no_new_connection_gets_through_the_old_one_takes_the_rules_back():
    connection = Connection(lets_in=False)
    succeeded, said = _executed(_asked(_found())[-1], connection)
    assert (succeeded, SHUT_COMPLAINT in said.stderr) == (False, True)
    assert connection.noted == [("old", START_ROLLBACK)]


def test_an_owners_rules_are_refused_and_adopted_ones_are_kept_aside_before_they_go():
    with pytest.raises(Refused, match=r"stack\.adopt"):
        _asked(_found(THEIRS), ours=False)
    script = _asked(_found(THEIRS), ours=False, adopt=(RULES_SUBJECT,))[0].get_raw_value()
    assert "keep_aside" in script
    assert script.index('sh -c "$3"') < script.index("load && drop")
    assert "keep_aside" not in _asked(_found(THEIRS))[0].get_raw_value(), "ours: they were kept aside when it began"
