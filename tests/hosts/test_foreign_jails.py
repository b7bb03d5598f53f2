"""fail2ban of a host's owner: it is never started, stopped or told anything unasked, and what breaks it is named."""

import pytest

from tests.hosts.pasts.fail2ban import PASTS

BROKEN = r"""printf '[orders]\nenabled = true\nfilter = apache-auth\nlogpath = /var/log/orders/*.log\n' \
  > /etc/fail2ban/jail.d/orders.conf"""
NAMES = "cd /etc; find . -type f ! -name '*.cache' -printf '%p %s %m %T@\\n' | LC_ALL=C sort | md5sum"
OURS = "/etc/fail2ban/jail.d/health-v1.local"


@pytest.fixture
def base(bare, project):
    """A host that plays no part: what every host gets is on it within seconds."""
    inventory = project / "inventories/sandbox.py"
    inventory.write_text(inventory.read_text().partition("# One host plays")[0] + "monitoring = _hosts\n")
    bare.shell(PASTS[0].script)
    return bare


@pytest.mark.long(130)
def test_what_breaks_an_owners_fail2ban_is_named_and_what_works_goes_on(base, project, subtests):
    def refused():
        before = base.shell(NAMES)
        code, plan = base.json("plan", "sandbox", cwd=project)
        assert (code, base.shell(NAMES)) == (1, before)
        return {fault["where"].partition(": ")[2]: f"{fault['what']} {fault['hint']}" for fault in plan["faults"]}

    with subtests.test("a jail whose log is gone"):
        base.shell(BROKEN)
        (said,) = refused().items()
        assert said[0] == "jail orders"
        assert "/etc/fail2ban/jail.d/orders.conf enables it, and /var/log/orders/*.log is not there" in said[1]
        assert "create the log" in said[1]
        before = base.shell(NAMES)
        assert base.cli("apply", "sandbox", "--yes", cwd=project).returncode == 1
        assert base.shell(NAMES) == before
    with subtests.test("a file that cannot be read"):
        base.shell("echo '[orders' > /etc/fail2ban/jail.d/orders.conf")
        found = refused()
        assert list(found) == ["fail2ban"]
        assert "/etc/fail2ban/jail.d/orders.conf" in found["fail2ban"]
    with subtests.test("a server that its owner does not run"):
        base.shell("rm /etc/fail2ban/jail.d/orders.conf; systemctl disable --now fail2ban")
        assert "jail.local" in refused()["unit fail2ban.service"]
        base.shell("systemctl enable --now fail2ban; sleep 2; fail2ban-client status webmail")
    with subtests.test("a jail that the server leaves out is no reason to refuse"):
        base.shell(BROKEN.replace("apache-auth", "none-such"))
    with subtests.test("what works goes on, and ours are beside it"):
        _goes_on(base, project)


def _goes_on(base, project):
    past = PASTS[0]
    before = base.shell(past.looks)
    assert "198.51.100.9" in before
    base.must("apply", "sandbox", "--yes", cwd=project)
    assert base.shell(past.looks) == before
    assert "198.51.100.7" in base.shell("fail2ban-client get health-v1-sshd ignoreip"), "whom the owner spares"
    base.must("verify", "sandbox", cwd=project)
    base.shell("fail2ban-client set health-v1-sshd banip 198.51.100.3; sleep 1; nft delete table inet f2b-table")
    code, plan = base.json("apply", "sandbox", "--yes", cwd=project)
    assert [change["target"] for step in plan["steps"] for change in step["changes"]] == ["health-v1-sshd"]
    assert "198.51.100.3" in base.shell("nft list set inet f2b-table addr-set-health-v1-sshd")
    assert (code, base.shell("systemctl show -p MainPID fail2ban") in before) == (0, True)
    base.shell(f"sed -i s/22/2222/ {OURS}")
    base.must("apply", "sandbox", "--yes", cwd=project)
    assert "dport 22 " in base.shell("nft list table inet f2b-table")
    assert base.json("apply", "sandbox", "--yes", cwd=project)[1]["steps"] == []
