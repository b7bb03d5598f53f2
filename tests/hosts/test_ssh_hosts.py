"""Hosts as people have them, on the way in: shells that talk, strict sshd, sudo that refuses, links that die."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from healthv1.sandbox.snapshots import reset
from tests.hosts.world import CONVERGED

NOISE = 'echo hello; echo oops >&2; printf "\\351 without a line break"'
SILENCE = 12  # seconds
GATE = "/run/healthv1-gate"
SLOW = "/run/systemd/system/health-v1-pgbouncer.service.d"

REFUSED = {
    "ttyless": ("must have a tty", '"Defaults:ttyless !requiretty" | sudo tee -a /etc/sudoers.d/zz-healthv1'),
    "password": ("a password is required", '"password ALL=(ALL) NOPASSWD: ALL" | sudo tee -a /etc/sudoers.d/zz-'),
    "nosudo": ("sudo is not installed", "apt-get install -y sudo"),
    "bound": ("ran no command (This account is currently not available.)", "'echo it works'"),
    "forced": ("ran no command (Please log in as admin.)", "'echo it works'"),
    "full": ("sshd opens no session", "systemctl reload ssh"),
    "sealed": ("has a passphrase, and no agent holds it", "ssh-add '"),
}
_ACCOUNT = """useradd -m -s %(shell)s %(user)s; echo %(user)s:secret | chpasswd
cp -r ~admin/.ssh ~%(user)s; chown -R %(user)s: ~%(user)s
"""
_SSHD = """Match User odd
    MaxSessions 1
Match User full
    MaxSessions 0
Match User forced
    ForceCommand echo Please log in as admin.
Match all
"""


def _accounts():
    shells = {"odd": "/bin/csh", "bound": "/usr/sbin/nologin"}
    users = (*REFUSED.keys() - {"sealed"}, "odd")
    script = "".join(_ACCOUNT % {"user": user, "shell": shells.get(user, "/bin/bash")} for user in users)
    return f"""set -e
dpkg -s csh >/dev/null 2>&1 || {{ apt-get update; apt-get install -y csh; }} >/dev/null 2>&1
{script}echo 'echo hello' > ~odd/.cshrc; printf '%s\\n' '{NOISE}' > ~odd/.bashrc
mkdir -p /opt/nosudo; ln -sf /bin/sh /usr/bin/head /opt/nosudo; echo PATH=/opt/nosudo > ~nosudo/.bashrc
for user in odd ttyless; do echo "$user ALL=(ALL) NOPASSWD: ALL"; done > /etc/sudoers.d/people
echo 'Defaults:ttyless requiretty' >> /etc/sudoers.d/people
echo 'password ALL=(ALL) ALL' >> /etc/sudoers.d/people
printf '{_SSHD}' > /etc/ssh/sshd_config.d/99-people.conf; systemctl reload ssh"""


@pytest.fixture(scope="module")
def peopled(_deployed):
    """The deployed host with accounts of all sorts, for tests that leave the rest of it as they found it."""
    _deployed.shell(_accounts())
    yield _deployed
    reset(_deployed.sandbox, CONVERGED)


def _signed_in_as(project, user):
    """Have the team's inventory name another account, one for which sshd and its login shell have their own ways."""
    path = project / "inventories/sandbox.py"
    path.write_text(f'{path.read_text()}\nfor _, data in _hosts:\n    data["ssh_user"] = "{user}"\n')


def test_shells_that_talk_and_csh_and_few_sessions_are_no_matter(peopled, project):
    _signed_in_as(project, "odd")
    peopled.shell("systemctl stop redis-server@health-v1; chmod 0640 /etc/nginx/nginx.conf")
    peopled.must("apply", "sandbox", "--yes", cwd=project)
    peopled.shell("chsh -s /bin/bash odd")
    assert "Nothing to do" in peopled.must("plan", "sandbox", cwd=project).stdout


def test_who_cannot_work_is_refused_by_the_plan_with_the_command_that_helps(peopled, project, tmp_path):
    key = tmp_path / "key"
    shutil.copy(peopled.running.hosts[0].ssh_key, key)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "a passphrase", "-f", key], check=True)
    _among_others(project, {user: {"ssh_user": user} for user in REFUSED} | {"sealed": {"ssh_key": str(key)}})
    code, plan = peopled.json("plan", "sandbox", cwd=project, SSH_AUTH_SOCK="")
    assert (code, plan["hosts"]) == (1, ["host1"])
    hints = {fault["where"]: fault["hint"] for fault in plan["faults"]}
    assert len(plan["faults"]) == len(hints) == len(REFUSED)
    for fault in plan["faults"]:
        what, hint = REFUSED[fault["where"]]
        assert what in fault["what"]
        assert hint in fault["hint"]
    for user in ("ttyless", "password"):
        # Nobody sits at a terminal here: twice asked, ssh makes one there all the same.
        line = hints[user].replace("ssh -t ", "ssh -tt ", 1)
        subprocess.run(line, shell=True, input="secret\n", text=True, check=True, capture_output=True)
    with _agent(tmp_path, hints["sealed"]) as agent:
        helped = ("ttyless", "password", "sealed")
        limits = [word for user in helped for word in ("--limit", user)]
        code, plan = peopled.json("plan", "sandbox", *limits, cwd=project, **agent)
    assert not plan["faults"]
    assert set(plan["hosts"]) == set(helped)


def _among_others(project, hosts):
    path = project / "inventories/sandbox.py"
    others = f"others = [(name, {{**_hosts[0][1], **found}}) for name, found in {hosts!r}.items()]"
    path.write_text(f"{path.read_text()}\n{others}\n")
    path = project / "group_data/all.py"
    path.write_text(f'{path.read_text()}\nown_names = ("others",)\n')


@contextmanager
def _agent(tmp_path, hint):
    """Do as advised, and yield how its agent is found."""
    says = tmp_path / "says"
    says.write_text("#!/bin/sh\necho a passphrase\n")
    says.chmod(0o700)
    asked = {**os.environ, "SSH_ASKPASS": str(says), "SSH_ASKPASS_REQUIRE": "force", "SSH_AUTH_SOCK": ""}
    line = f"{hint} && echo at $SSH_AUTH_SOCK && echo pid $SSH_AGENT_PID"
    said = subprocess.run(line, shell=True, env=asked, capture_output=True, text=True, check=True).stdout
    found = dict(re.findall(r"^(at|pid) (.+)$", said, re.MULTILINE))
    try:
        yield {"SSH_AUTH_SOCK": found["at"]}
    finally:
        os.kill(int(found["pid"]), signal.SIGTERM)


@pytest.fixture
def slow(mended):
    """A host on which PgBouncer is down, and starts no sooner than the test lets it."""
    waits = f"[Service]\\nTimeoutStartSec=300\\nExecStartPre=/bin/sh -c 'while [ -e {GATE} ]; do sleep 0.2; done'\\n"
    mended.shell(f'touch {GATE}; mkdir -p {SLOW}; printf "{waits}" > {SLOW}/slow.conf; systemctl daemon-reload')
    mended.shell("systemctl stop health-v1-pgbouncer nginx")
    yield mended
    mended.shell(
        f"rm -rf {GATE} {SLOW}/slow.conf; systemctl daemon-reload; systemctl restart health-v1-pgbouncer nginx"
    )


@contextmanager
def _silenced(host):
    """Drop every packet to the host and from it: nobody is told that the link is dead."""
    table = f"inet silenced-{host.address.replace('.', '-')}"
    rules = f"""table {table} {{
      chain to {{ type filter hook output priority -300; ip daddr {host.address} drop; }}
      chain from {{ type filter hook input priority -300; ip saddr {host.address} drop; }}
    }}"""
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
    try:
        yield
    finally:
        subprocess.run(f"nft delete table {table}", shell=True, check=True)


@pytest.mark.long(60)
def test_a_dead_link_is_told_of_and_given_up_and_an_operation_that_takes_long_is_not(slow, project):
    path = project / "group_data/all.py"
    path.write_text(path.read_text().replace("Rollout()", f"Rollout(silence={SILENCE}, lease=15)"))
    argv = [sys.executable, "-m", "healthv1", "apply", "sandbox", "--yes"]
    with subprocess.Popen(
        argv, cwd=project, env=slow.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    ) as applying:  # fmt: skip
        while "activating" not in slow.shell("systemctl is-active health-v1-pgbouncer || true"):
            assert applying.poll() is None, applying.communicate()
            time.sleep(0.2)
        time.sleep(1.5 * SILENCE)
        assert applying.poll() is None, applying.communicate()
        with _silenced(slow.running.hosts[0]):
            said, _ = applying.communicate(timeout=120)
            code, plan = slow.json("plan", "sandbox", cwd=project)
            assert (code, [fault["where"] for fault in plan["faults"]]) == (1, ["host1"])
    told = re.findall(r"No answer from host1 for (\d+) s$", said, re.MULTILINE)
    assert told[-3:] == ["3", "6", "9"], said  # a machine that is very busy may have seemed silent before
    assert applying.returncode == 1
    assert said.count("Error: ") == 1
    assert re.search(f"^Error: host1: No answer for {SILENCE} s, given up.\nHint:  .*ssh ", said, re.MULTILINE)
    assert "healthv1 apply sandbox --resume" in said
    assert "Traceback" not in said
    slow.shell(f"rm {GATE}")
    slow.must("apply", "sandbox", "--resume", "--lock-wait", "60", cwd=project)
    assert "Nothing to do" in slow.must("plan", "sandbox", cwd=project).stdout
    runs = slow.json("journal", "show", "sandbox", cwd=project)[1]["runs"]
    assert [run["state"] for run in runs if run["command"] == "apply"][-1] == "ended"
    assert slow.eye().service("nginx").is_running


def test_a_host_on_which_ipv6_is_switched_off_is_whole_and_nothing_is_to_be_changed(mended, project):
    """From nothing to here was tried by hand: only that the certificate's name must have no AAAA record then."""
    path = project / "inventories/sandbox.py"
    path.write_text(path.read_text().replace('"address6": host.address6,', ""))
    off = "for one in all default lo; do sysctl -qw net.ipv6.conf.$one.disable_ipv6=%d; done"
    services = "ssh nginx redis-server@health-v1 postgresql health-v1-pgbouncer fail2ban ufw"
    mended.shell(f"{off % 1}; test ! -s /proc/net/if_inet6; systemctl restart {services}")
    ready = "curl -sf --retry 60 --retry-delay 1 --retry-all-errors http://127.0.0.1:$port/health/ready"
    mended.shell(f"for port in 8080 8081; do {ready} || exit 1; done")
    try:
        mended.must("verify", "sandbox", cwd=project)
        assert "Nothing to do" in mended.must("plan", "sandbox", cwd=project).stdout
    finally:
        mended.shell(f"{off % 0}; systemctl restart systemd-networkd nginx")
