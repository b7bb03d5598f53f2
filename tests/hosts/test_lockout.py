"""Whatever shuts SSH out, it answers again within a minute, also where the operator's process was killed."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploys.facts.firewall import ROLLBACK
from deploys.switching import ROLLBACK_SECONDS
from healthv1.sandbox import power
from healthv1.sandbox.reach import on_host
from healthv1.sandbox.snapshots import reset, snapshot
from tests.hosts.matrix import unlock
from tests.hosts.world import World

READY = "ready"
SOON = 8  # seconds, instead of the real 45
OWNERS = {
    "a set that ends in REJECT": """iptables -A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
iptables -A INPUT -i lo -j ACCEPT
iptables -A INPUT -p tcp -m state --state NEW -m tcp --dport 22 -j ACCEPT
iptables -A INPUT -p tcp --dport 9000 -j ACCEPT
iptables -A INPUT -j REJECT --reject-with icmp-host-prohibited
iptables -N DOCKER-USER; iptables -A DOCKER-USER -j RETURN; iptables -A FORWARD -j DOCKER-USER""",
    "a set that drops by its policy": """for family in '' 6; do iptables=ip${family}tables
$iptables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT; $iptables -A INPUT -i lo -j ACCEPT
$iptables -A INPUT -p tcp --dport 22 -j ACCEPT; $iptables -P INPUT DROP; done""",
    "nftables that drop by their policy, in a table of iptables' name too": """cat > /etc/nftables.conf <<'END'
flush ruleset
table inet filter {
  set office { type ipv4_addr; elements = { 192.0.2.1, 192.0.2.2 }; }
  chain input { type filter hook input priority filter; policy drop
    ct state established,related accept; iif lo accept; icmpv6 type nd-neighbor-solicit accept
    tcp dport 22 accept; ip saddr @office accept
  }
}
table ip filter {
  set good { type ipv4_addr; elements = { 192.0.2.3 }; }
  chain input { type filter hook input priority 1; policy drop
    ct state established accept; iif lo accept; tcp dport { 22, 9000 } accept; ip saddr @good accept
  }
}
END
systemctl enable --now nftables""",
}
DENIED = "sed -i 's/^# drop INVALID packets.*/-A ufw-before-input -p tcp --dport 22 -j DROP/' /etc/ufw/before.rules"
BROKEN = (
    "sed -i 's/^# drop INVALID packets.*/-A ufw-before-input -p tcp --dport nothing -j DROP/' /etc/ufw/before.rules"
)
_SEEN = r"""for family in '' 6; do ip${family}tables-save | grep -v '^[#:]\|^\*\|^COMMIT' || true; done
for one in 'table inet filter' 'chain ip filter input' 'set ip filter good'; do nft list $one 2>&1 || true; done
systemctl is-enabled nftables ufw || true
cat /etc/ufw/ufw.conf /etc/ufw/user.rules"""

_PUT_BACK = """cd /var/lib/healthv1/before/*/
sed -n 's/^path=//p' entry | while read -r path; do rm -rf "$path"; cp -aT "files$path" "$path"; done; sh put-back"""


@pytest.fixture(scope="module")
def _ready():
    with World("test-lockout").for_a_while() as world:
        world.up()
        world.must("secrets", "init", "sandbox")
        world.shell("DEBIAN_FRONTEND=noninteractive apt-get -qqy install ufw nftables >&2")
        snapshot(world.sandbox, READY)
        yield world


@pytest.fixture
def world(_ready):
    """A host with the packages of a firewall, and no rules."""
    reset(_ready.sandbox, READY)
    return _ready


@pytest.fixture
def adopting(project):
    settings = project / "group_data/sandbox.py"
    adopt = 'stack = stack.model_copy(update={"adopt": ("firewall rules",)})\n'
    settings.write_text(settings.read_text() + adopt)
    return project


def _apply(world, project, *, seconds=ROLLBACK_SECONDS, fate="lives"):
    unlock(world)  # who was killed left it
    driver = Path(__file__).with_name("firewall_driver.py")
    argv = [sys.executable, str(driver), str(seconds), fate, "apply", "sandbox", "--yes"]
    options = {"cwd": project, "env": world.environment, "stdin": subprocess.DEVNULL, "timeout": 300}
    done = subprocess.run(argv, check=False, capture_output=True, text=True, **options)
    if fate == "dies":
        assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    return done


def _logs_in(world):
    """Whether a new connection gets through, and not one that was there."""
    return on_host(world.running.hosts[0], "true").returncode == 0


def _within(seconds, holds):
    start = time.monotonic()
    while not (held := holds()) and time.monotonic() - start < seconds:
        time.sleep(0.5)
    assert held, f"not within {seconds} s"


@pytest.mark.parametrize("owners", OWNERS.values(), ids=OWNERS)
def test_an_owners_rules_come_back_when_the_operator_is_killed_and_when_they_are_put_back(world, adopting, owners):
    world.shell(owners)
    before = world.shell(_SEEN)
    _apply(world, adopting, seconds=SOON, fate="dies")
    assert "ufw-before-input" in world.shell("iptables -S INPUT"), "the switch was made"
    _within(SOON + 5, lambda: world.shell(_SEEN) == before)

    done = _apply(world, adopting)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ufw-before-input" in world.shell("iptables -S INPUT")
    assert "hook input" not in world.shell("nft list ruleset | sed -n '/^table inet/,/^}/p'")
    again = _apply(world, adopting)
    assert "Nothing to do" in again.stdout, again.stdout + again.stderr

    assert len(world.shell("ls /var/lib/healthv1/before").split()) == 1, "the same was kept aside twice"
    world.shell(_PUT_BACK)
    assert world.shell(_SEEN).replace("disabled", "enabled") == before.replace("disabled", "enabled")
    assert _logs_in(world)


def test_a_firewall_that_was_not_confirmed_is_confirmed_by_the_next_apply(world, project):
    _apply(world, project, fate="dies")
    done = _apply(world, project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "an earlier run was cut short" in done.stdout
    world.shell(f"! systemctl is-active {ROLLBACK}.timer; iptables -C INPUT -j ufw-before-input")


@pytest.mark.long(70)
def test_rules_that_shut_ssh_out_are_taken_back(world, project):
    world.shell(DENIED)
    done = _apply(world, project)
    assert done.returncode == 1
    assert "no new SSH connection got through: the rules that were there before come back" in done.stderr
    assert _logs_in(world), "who lives to see it has them brought back at once"

    _apply(world, project, fate="dies")
    assert not _logs_in(world), "the rules shut nobody out"
    _within(60, lambda: _logs_in(world))
    assert "ufw" not in world.shell("iptables -S")

    _apply(world, project, fate="dies")
    power.cut(world.sandbox, world.running.hosts[0])
    power.restore(world.sandbox, world.running.hosts[0])
    assert _logs_in(world)
    assert "ufw" not in world.shell("iptables -S")


def test_rules_that_cannot_be_loaded_change_nothing(world, project):
    world.shell(BROKEN)
    before = world.shell(_SEEN)
    done = _apply(world, project)
    assert done.returncode == 1
    assert "nothing" in done.stderr
    assert world.shell(_SEEN) == before
    assert _logs_in(world)


def test_rules_of_the_owners_that_wait_in_ufw_are_refused_until_they_are_adopted(world, adopting):
    world.shell("ufw deny 22/tcp")
    refused = world.json("plan", "sandbox")[1]
    assert any("ufw-user-input -p tcp --dport 22 -j DROP" in fault["what"] for fault in refused["faults"])
    done = _apply(world, adopting)
    assert done.returncode == 0, done.stdout + done.stderr
    assert _logs_in(world)
    power.reboot(world.sandbox, world.running.hosts[0])
    world.shell("iptables -C INPUT -j ufw-before-input")


def test_a_wrong_word_of_the_owners_that_sshd_has_not_read_is_not_taken_up(world, project):
    world.shell("echo 'AllowUsers nobody-but-me' > /etc/ssh/sshd_config.d/50-owner.conf")
    refused = _apply(world, project)
    assert refused.returncode == 1
    assert "/etc/ssh/sshd_config.d/50-owner.conf: It was changed, and sshd has not read it yet" in refused.stderr
    assert "Nothing was changed" in refused.stderr or "Stage" not in refused.stdout + refused.stderr
    assert _logs_in(world)
    world.shell("rm /etc/ssh/sshd_config.d/50-owner.conf")
    done = _apply(world, project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert _logs_in(world)
