"""Who is banned and who never is, as fail2ban reads it."""

import configparser
import os
import subprocess
from dataclasses import replace

import pytest

from deploys.component import template
from deploys.facts.jails import BrokenJail, BrokenJails, JailsOnHost, JailsState
from deploys.fail2ban.checks import DOCUMENTATION_ADDRESS, bans_enforced, checks
from deploys.fail2ban.jails import (
    FORMER_JAILS,
    OWN_JAILS,
    TEST_START,
    jail_names,
    restart_jails,
    stop_jails,
    unused_jails,
)
from deploys.fail2ban.settings import Fail2ban
from deploys.faults import Refused
from deploys.operations.jails import (
    ALONE,
    BESIDE,
    broken_jail_conflicts,
    disables_sshd_jail,
    jail_layout,
    stopped_server_conflicts,
)


def _jails(edge=True, **changed):
    values = {
        "settings": Fail2ban(),
        "never": ("127.0.0.0/8", "10.0.0.2"),
        "spare": "/spare",
        "ssh": [22, 2222],
        "names": OWN_JAILS,
        "switched_off": False,
        "spared": False,
        "clinics": (),
    }
    text = template("fail2ban/jails.local", edge=edge, log="/a.log", **{**values, **changed})()
    found = configparser.ConfigParser(interpolation=None)
    found.read_string(text)
    return found


def test_sshd_is_guarded_by_the_journal_on_its_real_ports():
    sshd = _jails()["health-v1-sshd"]
    said = tuple(sshd[name] for name in ("enabled", "backend", "filter", "port"))
    assert said == ("true", "systemd", "sshd[mode=aggressive]", "22,2222")
    assert 'port="22,2222", protocol="tcp"' in sshd["action"]
    assert (sshd["maxretry"], sshd["bantime"], sshd["findtime"]) == ("5", "3600", "600")


def test_jails_that_are_not_ours_are_told_nothing():
    assert not _jails().defaults()
    assert not any(name in _jails().sections() for name in FORMER_JAILS)


def test_what_an_owner_gave_all_jails_reaches_none_of_ours():
    """Every option that a [DEFAULT] in use sets is in each of ours, or says something of logs alone."""
    usual = {"bantime", "findtime", "maxretry", "ignoreip", "ignorecommand", "usedns", "enabled", "filter", "backend"}
    usual |= {"action", "port", "bantime.increment", "bantime.factor", "bantime.formula", "bantime.maxtime"}
    usual |= {"bantime.rndtime", "bantime.multipliers", "bantime.overalljails", "ignoreself", "ignorecache"}
    for name in OWN_JAILS:
        assert usual <= set(_jails()[name]), name


def test_the_operator_is_spared_in_every_jail_and_so_is_whom_the_owner_spares():
    for name in OWN_JAILS:
        assert _jails()[name]["ignoreip"] == "127.0.0.0/8 10.0.0.2", name
        assert _jails(spared=True)[name]["ignoreip"] == "127.0.0.0/8 10.0.0.2 %(default/ignoreip)s", name
        assert _jails()[name]["ignorecommand"] == "/spare <ip>", name


def test_a_clinic_is_never_banned_from_the_website_and_may_not_guess_at_ssh():
    jails = _jails(clinics=("192.0.2.0/24",))
    assert [jails[name]["ignoreip"].endswith(" 192.0.2.0/24") for name in OWN_JAILS] == [False, True, True]


def test_only_an_edge_host_watches_nginx():
    assert _jails(edge=False).sections() == [OWN_JAILS[0]]
    assert tuple(_jails().sections()) == OWN_JAILS
    assert _jails()[OWN_JAILS[1]]["maxretry"] == "1000"


def test_jails_keep_the_names_that_bans_are_known_by():
    assert jail_names(former=True, edge=True) == ("sshd", "nginx-limits", "nginx-botsearch")
    assert tuple(_jails(names=FORMER_JAILS).sections()) == FORMER_JAILS
    assert all(len(name) < 26 for name in OWN_JAILS), "fail2ban warns of longer names"


def test_the_distributions_own_jail_is_put_out_only_where_nobody_has_a_say_in_it():
    assert _jails(switched_off=True)["sshd"]["enabled"] == "false"
    assert jail_layout("", JailsOnHost()) == ALONE
    assert jail_layout("", JailsOnHost(foreign_files=("/etc/fail2ban/jail.local",))) == BESIDE
    assert jail_layout(ALONE, JailsOnHost(foreign_files=("/etc/fail2ban/jail.local",))) == ALONE, "the mark counts"
    assert disables_sshd_jail(ALONE, JailsOnHost())
    assert not disables_sshd_jail(ALONE, JailsOnHost(configures_sshd=True))
    assert not disables_sshd_jail(BESIDE, JailsOnHost())
    assert not disables_sshd_jail("former", JailsOnHost())


MISSING = BrokenJail(
    "webmail", "/etc/fail2ban/jail.d/zz.conf", ("/var/log/webmail.log",), "Have not found any log file"
)


def test_a_jail_that_keeps_fail2ban_from_starting_is_named_with_its_file_and_its_log():
    (thing,) = broken_jail_conflicts([MISSING])
    assert thing.thing == "jail webmail"
    assert "zz.conf enables it, and /var/log/webmail.log is not there" in thing.what
    assert "create the log" in thing.way_out
    (wrong,) = broken_jail_conflicts([BrokenJail("webmail", "/etc/fail2ban/jail.local", (), "Bad value substitution")])
    assert wrong.what == "/etc/fail2ban/jail.local: Bad value substitution."
    (unread,) = broken_jail_conflicts(
        [BrokenJail("", "", (), "File contains no section headers: /etc/fail2ban/jail.local")]
    )
    assert (unread.thing, unread.adoptable) == ("fail2ban", False)


def test_a_server_that_its_owner_does_not_run_is_not_started_unasked():
    theirs = JailsOnHost(foreign_files=("/etc/fail2ban/jail.local",), installed=True, enabled=True, active="active")
    assert stopped_server_conflicts(BESIDE, theirs, []) == []
    for changed, said in (
        ({"enabled": False}, "switched off"),
        ({"active": "failed"}, "has failed"),
        ({"installed": False}, "removed"),
    ):
        (thing,) = stopped_server_conflicts(BESIDE, replace(theirs, **changed), [])
        assert said in thing.what
        assert thing.adoptable == ("active" not in changed)
    assert stopped_server_conflicts(BESIDE, replace(theirs, active="failed"), [MISSING]) == [], (
        "its cause is told already"
    )
    assert stopped_server_conflicts(ALONE, JailsOnHost(), []) == []


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "10.0.0.1/8", "office.example.com", "1.2.3.4 0.0.0.0/0"])
def test_an_exception_for_everybody_or_nobody_is_refused(network):
    with pytest.raises(Refused, match="never_ban"):
        Fail2ban(never_ban=(network,))


def test_wrong_values_are_refused_by_name():
    for changed in ({"maxretry": 0}, {"bantime_maximum": 100}, {"spare_logins_of_days": 0}, {"nginx_rejections": 5}):
        with pytest.raises(Refused, match=next(iter(changed))):
            Fail2ban(**changed)
    assert Fail2ban(never_ban=("192.0.2.0/24", "fd00::/8", "192.0.2.1")).never_ban[0] == "192.0.2.0/24"


@pytest.fixture
def spares(tmp_path):
    """Return a function that asks the script of an address, over a journal that says `lines`."""
    never = ("127.0.0.0/8", "10.0.0.2", "2001:db8:5::2", "no-address")
    script = template("fail2ban/health-v1-spare", days=30, known=tmp_path / "known", never=never)()
    (tmp_path / "hostname").write_text("#!/bin/sh\necho 192.0.2.1 2001:db8:6::1\n")
    (tmp_path / "hostname").chmod(0o755)

    def asked(address, *lines):
        journal = tmp_path / "journalctl"
        said = "".join(f"{line}\n" for line in lines)
        (tmp_path / "said").write_text(said)
        journal.write_text(
            '#!/bin/sh\nfor word; do case $word in --cursor-file=*) echo at > "${word#*=}";; esac; done\n'
            f"cat {tmp_path}/said\n"
        )
        journal.chmod(0o755)
        path = f"{tmp_path}:{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-c", script, "spare", address], env={"PATH": path}, capture_output=True, check=False
        )
        assert done.stderr == b""
        return done.returncode == 0

    return asked


def _said(message, ago=60):
    at = int(subprocess.run(["date", "+%s"], capture_output=True, check=True).stdout) - ago
    return f"{at}.123456 host1 sshd-session[77]: {message}"


ACCEPTED = "Accepted publickey for admin from {} port 4711 ssh2: ED25519 SHA256:abc"


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7"])
def test_who_has_logged_in_with_a_key_is_spared_also_when_the_journal_is_gone(spares, address):
    assert not spares(address)
    assert spares(address, _said(ACCEPTED.format(address)))
    assert spares(address)


def test_a_network_is_spared_for_anybody_in_it_who_may_not_be_shut_out(spares):
    assert not spares("2001:db8:7::/64")
    assert spares("2001:db8:7::/64", _said(ACCEPTED.format("2001:db8:7::abc")))
    assert not spares("2001:db8:7:1::/64")
    assert spares("2001:db8:5::/64"), "one that is never banned"
    assert spares("2001:db8:6::/64"), "this host's own"
    assert not spares("2001:db8:5::3")


def test_whose_login_is_long_ago_is_not_spared(spares):
    assert not spares("192.0.2.7", _said(ACCEPTED.format("192.0.2.7"), ago=31 * 86400))


def test_a_login_by_password_or_a_similar_address_spares_nobody(spares):
    assert not spares("192.0.2.7", _said("Accepted password for admin from 192.0.2.7 port 4711 ssh2"))
    assert not spares("192.0.2.7", _said(ACCEPTED.format("192.0.2.77")), _said(ACCEPTED.format("192x0x2x7")))


def test_a_name_that_reads_like_a_login_spares_nobody(spares):
    forged = ACCEPTED.format("192.0.2.7")
    assert not spares("192.0.2.7", _said(f"Invalid user {forged} from 198.51.100.1 port 1"))
    assert not spares("192.0.2.7", _said(f"Invalid user x sshd[1]: {forged} from 198.51.100.1 port 1"))


def test_bans_that_the_kernel_has_lost_are_noticed(tmp_path):
    banned = (
        "[{'sshd': ['192.0.2.1']}, {'other': ['192.0.2.2', '2001:db8::1', '203.0.113.0/24']}, {'no': ['192.0.2.3']}]"
    )
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def says(program, said):
        (tmp_path / program).write_text(f'#!/bin/sh\necho "{said}"\n')
        (tmp_path / program).chmod(0o755)

    def kernel(ruled=("sshd", "other", "six"), **sets):
        said = "".join(f"set addr-set-{name} {{ elements = {{ {one} }} }}\n" for name, one in sets.items())
        rules = "".join(f"tcp dport 22 ip saddr @addr-set-{name} reject\n" for name in ruled)
        text = f"table inet f2b-table {{\n{said}chain f2b-chain {{\n{rules}}}\n}}"
        says("nft", text.replace("addr-set-six", "addr6-set-other"))

    def holds():
        return (
            subprocess.run(["sh", "-c", bans_enforced(("sshd", "other"))], env=environment, check=False).returncode == 0
        )

    says("fail2ban-client", banned)
    kernel(sshd="192.0.2.1", other="192.0.2.9, 192.0.2.2, 203.0.113.0/24", six="2001:db8::1")
    assert holds()
    kernel(sshd=DOCUMENTATION_ADDRESS)
    assert not holds()
    whole = {"sshd": "192.0.2.1", "other": "192.0.2.2, 203.0.113.0/24", "six": "2001:db8::1"}
    kernel(**whole)
    assert holds()
    for missing in whole:
        kernel(ruled=set(whole) - {missing}, **whole)
        assert not holds(), "a set that no rule asks bans nobody"
    kernel(sshd="192.0.2.1", other="192.0.2.2, 203.0.113.0/24")
    assert not holds(), "the last of the last jail"
    kernel(sshd="192.0.2.1", other="192.0.2.2", six="2001:db8::1")
    assert not holds(), "a network"
    kernel(sshd="192.0.2.9", other="192.0.2.2, 203.0.113.0/24", six="2001:db8::1", theirs="192.0.2.1")
    assert not holds(), "another jail's ban of it is not ours"
    says("nft", "")
    assert not holds()
    says("fail2ban-client", "Sorry but the jail does not exist: dead.")
    assert holds(), "what is no address was taken for one"


def test_all_that_a_host_is_told_is_shell():
    scripts = [check.command for check in checks(OWN_JAILS)]
    scripts += [
        TEST_START,
        restart_jails(OWN_JAILS),
        stop_jails(unused_jails(OWN_JAILS[:1])),
        JailsState().command(),
        BrokenJails().command(replacement="[a]\n"),
    ]
    for script in scripts:
        assert subprocess.run(["sh", "-n", "-c", script], check=False).returncode == 0, script


@pytest.fixture
def told(tmp_path):
    """Return a function that asks whose fail2ban's files are, where they hold what is given."""
    (tmp_path / "jail.d").mkdir()
    (tmp_path / "status").write_text("Conffiles:\n")

    def asked(**files):
        for name, text in files.items():
            (tmp_path / name.replace("_", ".", 1).replace("_", "/")).write_text(text)
        script = JailsState().command().replace("/etc/fail2ban", str(tmp_path))
        script = script.replace("/var/lib/dpkg/status", str(tmp_path / "status"))
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        found = JailsState().process(done.stdout.replace(str(tmp_path), "").splitlines())
        return found.foreign_files, found.configures_sshd, found.sets_ignoreip

    return asked


def test_an_owners_files_are_told_from_ours_and_read_for_what_concerns_us(told):
    ours = "# Managed by healthv1: change group_data and apply, not this file.\n[sshd]\nignoreip = 1\n"
    assert told(jail_local=ours) == ((), False, False)
    assert told(jail_local="[DEFAULT]\nbantime = 1d\n") == (("/jail.local",), False, False)
    assert told(jail_local="[DEFAULT]\nignoreip=192.0.2.1\n[sshd]\nport = 22\n") == (("/jail.local",), True, True)
    assert told(jail_local="[other]\nignoreip = 192.0.2.1\n") == (("/jail.local",), False, False), "of one jail alone"
