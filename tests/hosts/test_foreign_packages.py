"""Packages, ports and accounts of the host's owner: all of it is named before anything is changed, and stays."""

import re

import pytest

from tests.hosts.pasts.preflight import PACKAGE, REPOSITORY

IN_HALVES = PACKAGE + "package vendor-agent 3.1 'Depends: libvendor-runtime (>= 9)\n'; ! dpkg -i /root/vendor-agent.deb"
OTHERS = (
    PACKAGE
    + """package owners-firewall 1.0 'Conflicts: ufw
'; dpkg -i /root/owners-firewall.deb >/dev/null; apt-mark hold redis-server
useradd -m health-v1; mkdir -p /opt/health-v1; echo mine > /opt/health-v1/notes
systemd-run -q --unit=owners-web python3 -m http.server 80; systemd-run -q --unit=elsewhere python3 -m http.server \\
  8081 --bind 127.0.0.2"""
)
REFUSED = {
    "package owners-firewall": "apt-get remove owners-firewall",
    "package redis-server": "apt-mark unhold redis-server",
    "account health-v1": "stack.user",
    "directory /opt/health-v1": "stack.home",
    "port 80": "stop it",
}
STALE = "touch -d '3 days ago' /var/lib/apt/lists/*_Packages*"
# A repository of a vendor's that was there until now, and two that have been gone for long.
GONE = f"""systemd-run -q --unit=vendor python3 -m http.server 8099 --bind 127.0.0.1 --directory /srv/repository
for i in $(seq 50); do curl -fs -o /dev/null 127.0.0.1:8099/Packages && break; sleep 0.1; done
echo 'deb [trusted=yes] http://user:token-1234@127.0.0.1:8099 ./' > /etc/apt/sources.list.d/owner.list
apt-get -qq update; systemctl stop vendor; {STALE}
echo 'deb http://127.0.0.1:9/vendor stable main' > /etc/apt/sources.list.d/gone.list
printf 'Types: deb\\nURIs: https://no-such-host.invalid/apt\\nSuites: stable\\nComponents: main\\n' \\
  > /etc/apt/sources.list.d/gone.sources"""
PUT_RIGHT = """apt-mark unhold redis-server; dpkg --purge owners-firewall; userdel -r health-v1; rm -r /opt/health-v1
systemctl stop owners-web"""


def _refused(world, project):
    """Return what a plan refuses, each with its way out."""
    code, plan = world.json("plan", "sandbox", cwd=project)
    assert code == 1, plan["faults"]
    return {fault["where"].partition(": ")[2]: fault for fault in plan["faults"]}


def _installs(world, project):
    code, plan = world.json("plan", "sandbox", cwd=project)
    assert (code, plan["faults"]) == (2, [])
    changes = (change for step in plan["steps"] for change in step["changes"])
    return {change["target"]: change for change in changes if change["kind"] == "package"}


@pytest.mark.long(330)
def test_what_apt_or_we_would_take_from_the_owner_is_refused_with_its_way_out(bare, project):
    bare.shell(IN_HALVES)
    found = _refused(bare, project)
    assert found.keys() == {"package vendor-agent"}
    assert bare.cli("apply", "sandbox", "--yes", cwd=project).returncode == 1
    assert "unpacked" in found["package vendor-agent"]["what"]
    assert bare.shell("dpkg-query -W -f '${db:Status-Status}' vendor-agent; cat /opt/vendor-agent/file") == (
        "unpackedvendor-agent's work\n"
    )
    bare.shell(f"dpkg --remove vendor-agent; {OTHERS}")
    found = _refused(bare, project)
    assert found.keys() == REFUSED.keys()
    for thing, way_out in REFUSED.items():
        assert way_out in found[thing]["hint"]
    assert "python3 (owners-web.service)" in found["port 80"]["what"]
    assert bare.cli("apply", "sandbox", "--yes", cwd=project).returncode == 1
    bare.shell("dpkg-query -W owners-firewall; getent passwd health-v1 | grep /home/health-v1; test ! -e /usr/sbin/ufw")

    bare.shell(PUT_RIGHT)
    settings = project / "group_data/sandbox.py"
    text = settings.read_text()
    settings.write_text(f'{text}\nstack = stack.model_copy(update={{"user": "admin"}})\n')
    found = _refused(bare, project)
    assert found.keys() == {"account admin"}
    assert "You log in" in found["account admin"]["what"]
    settings.write_text(text)

    bare.shell(f"{REPOSITORY} repository ufw 99.0")
    ufw = _installs(bare, project)["ufw"]
    assert ufw["becomes"].startswith("99.0 from file:/srv/repository")
    assert "brings" in ufw["why"]
    assert "iptables" in ufw["why"]
    _newer_than_planned(bare, project)
    _gone(bare, project)


def _newer_than_planned(world, project):
    """Nothing else than what was planned is installed, also where the lists were too old for a plan to know it."""
    world.shell(f"sed -i 's/^Version: .*/Version: 100.0/' /srv/repository/Packages; {STALE}")
    done = world.cli("apply", "sandbox", "--yes", cwd=project)
    assert done.returncode == 1, done.stdout
    assert "ufw was to be 99.0, and is 100.0 now" in done.stderr + done.stdout
    assert "look at the plan again" in done.stderr + done.stdout
    world.shell("test ! -e /usr/sbin/ufw")
    assert _installs(world, project)["ufw"]["becomes"].startswith("100.0 from file:")


def _gone(world, project):
    """What cannot be read is left out and named; what would come from there alone is refused with its way out."""
    world.shell(GONE)
    (fault,) = _refused(world, project).values()
    assert "repository http://127.0.0.1:8099 ./" in fault["where"]
    assert "ufw would come from there alone" in fault["what"]
    world.shell(re.search(r"sed -i .*", fault["hint"])[0].removesuffix("."))
    shown = world.cli("plan", "sandbox", cwd=project).stdout
    for name in ("http://127.0.0.1:9/vendor stable", "https://no-such-host.invalid/apt stable"):
        assert shown.count(f"{name} cannot be read") == 1
    assert "token-1234" not in shown + str(fault)
    assert "99.0" not in shown
    world.shell("test -z \"$(find /var/lib/apt -name 'health-v1*')\"")
