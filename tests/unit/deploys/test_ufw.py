"""The firewall's rules follow from the parts, read the same in ufw's files and in the kernel; SSH is always there."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from deploys.bounds import Bounds
from deploys.component import template
from deploys.facts.firewall import FirewallState
from deploys.facts.marks import Marks
from deploys.facts.nginx import NginxOnHost, NginxState
from deploys.facts.ssh import SshPorts
from deploys.faults import Refused
from deploys.operations.change import Change
from deploys.operations.firewall import CONFIRM_SECONDS, SWITCH_SECONDS, rule_changes
from deploys.operations.rivals import RULES_SUBJECT, firewall_conflicts
from deploys.rulesets import compose_table, rule_names
from deploys.sites import OUR_MARK
from deploys.stack import Stack, Topology
from deploys.switching import ROLLBACK_SECONDS
from deploys.ufw import deploy
from deploys.ufw.checks import checks
from deploys.ufw.rules import rules, tuples
from deploys.ufw.settings import Allow, Ufw

STACK = Stack(domain="api.example.com")
ALL = ("database", "api", "edge")
CLUSTER = {"database": ["10.0.0.1"], "api": ["10.0.0.2", "fd00::3"], "edge": ["10.0.0.4"]}


def _rules(own, parts, addresses=CLUSTER, ssh=(22,), extra=()):
    return [str(rule) for rule in rules(extra, STACK, Topology.seen_from(own, addresses), parts, ssh)]


def _text(found, family, logging="low"):
    ufw = {4: "ufw", 6: "ufw6"}[family]
    return template("ufw/user.rules", ufw=ufw, tuples=tuples(found, family), logging=logging)()


def _state(text4="", text6="", kernel4=(), kernel6=(), before="", nft="", rivals=(), pending=""):
    output = []
    for family, text, kernel in (("", text4, kernel4), ("6", text6, kernel6)):
        output += [f"== user{family}", *text.splitlines(), f"== before{family}", *before.splitlines()]
        output += [f"== after{family}", f"== kernel{family}", *kernel]
    output += ["== nft", *nft.splitlines(), "== rivals", *rivals, "== pending", *pending.split()]
    return FirewallState().process(output)


def _kernel(*user_rules, ufw="ufw"):
    """Return what `iptables -S` lists where ufw is in force."""
    return [
        "-P INPUT DROP",
        f"-A INPUT -j {ufw}-before-input",
        f"-A {ufw}-before-input -i lo -j ACCEPT",
        f"-A {ufw}-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        f"-A {ufw}-before-input -j {ufw}-user-input",
        *(f"-A {ufw}-user-input {rule}" for rule in user_rules),
    ]


def test_one_host_with_everything_lets_in_ssh_and_the_web():
    alone = {part: ["10.0.0.1"] for part in ALL}
    assert _rules("10.0.0.1", ALL, alone) == ["22/tcp from anywhere", "80/tcp from anywhere", "443/tcp from anywhere"]


def test_the_database_lets_in_the_api_hosts_alone_and_the_web_not():
    assert _rules("10.0.0.1", ["database"]) == [
        "22/tcp from anywhere",
        "5432/tcp from 10.0.0.2",
        "6379/tcp from 10.0.0.2",
        "5432/tcp from fd00::3",
        "6379/tcp from fd00::3",
    ]


def test_an_api_host_lets_in_the_edge_alone():
    wanted = ["22/tcp from anywhere", "8080/tcp from 10.0.0.4", "8081/tcp from 10.0.0.4"]
    assert _rules("10.0.0.2", ["api"]) == wanted


def test_every_port_of_ssh_is_let_in_first_and_no_rule_stands_there_twice():
    found = _rules("10.0.0.4", ["edge"], ssh=(2222, 22), extra=(Allow(port=443), Allow(port=9100, source="10.0.0.9")))
    assert found[:2] == ["2222/tcp from anywhere", "22/tcp from anywhere"]
    assert found[2:] == ["80/tcp from anywhere", "443/tcp from anywhere", "9100/tcp from 10.0.0.9"]


def test_a_host_that_is_known_by_name_alone_is_refused():
    with pytest.raises(Refused, match="private_address"):
        _rules("db", ["database"], {"database": ["db"], "api": ["api1"]})


@pytest.mark.parametrize("source", ["10.0.0.1/24", "0.0.0.0/0", "::/0", "office", "10.0.0.256", "1.2.3.4; reboot"])
def test_a_source_that_is_no_network_is_refused(source):
    with pytest.raises(Refused, match="source"):
        Allow(port=1, source=source)


def test_wrong_ports_protocols_and_settings_are_refused_by_name():
    for values, word in (({"port": 0}, "port"), ({"port": 1, "protocol": "icmp"}, "protocol"), ({}, "port")):
        with pytest.raises(Refused, match=word):
            Allow(**values)
    with pytest.raises(Refused, match="logging"):
        Ufw(logging="high")


def test_the_files_say_what_ufw_itself_would_write():
    """Copied from ufw 0.36.2, after `ufw allow 443/tcp` and `ufw allow from 10.0.0.5 to any port 5432 proto tcp`."""
    text = _text([Allow(port=443), Allow(port=5432, source="10.0.0.5")], 4)
    assert (
        """### RULES ###

### tuple ### allow tcp 443 0.0.0.0/0 any 0.0.0.0/0 in
-A ufw-user-input -p tcp --dport 443 -j ACCEPT

### tuple ### allow tcp 5432 0.0.0.0/0 any 10.0.0.5 in
-A ufw-user-input -p tcp --dport 5432 -s 10.0.0.5 -j ACCEPT

### END RULES ###
"""
        in text
    )
    assert text.startswith("*filter\n:ufw-user-input - [0:0]\n")
    assert text.endswith("\nCOMMIT\n")


def test_a_rule_stands_in_the_file_of_its_family_alone():
    found = [Allow(port=22), Allow(port=1, source="10.0.0.5"), Allow(port=2, source="fd00::/8")]
    assert rule_names(_text(found, 4).splitlines()) == {"22/tcp from anywhere", "1/tcp from 10.0.0.5"}
    assert rule_names(_text(found, 6).splitlines()) == {"22/tcp from anywhere", "2/tcp from fd00::/8"}


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("-A ufw-user-input -p tcp -m tcp --dport 443 -j ACCEPT", "443/tcp from anywhere"),
        ("-A ufw6-user-input -s fd00::/8 -p udp -m udp --dport 53 -j ACCEPT", "53/udp from fd00::/8"),
        ("-A ufw-user-input -s 10.0.0.5/32 -p tcp -m tcp --dport 5432 -j ACCEPT", "5432/tcp from 10.0.0.5"),
        ("-A ufw-user-input -p tcp --dport 5432 -s 10.0.0.5 -j ACCEPT", "5432/tcp from 10.0.0.5"),
        ("-A ufw-user-input -s 192.0.2.1/32 -j DROP", "ufw-user-input -s 192.0.2.1/32 -j DROP"),
    ],
)
def test_a_rule_has_one_name_in_the_file_and_in_the_kernel(line, name):
    assert rule_names([line]) == {name}


BOUNDS = Bounds(connections=256, rate=100, burst=500, ipv6_network=64, exempt=("10.9.0.0/16",))
# As `iptables -S` lists them on Debian 12 and 13.
WEB = "-p tcp -m multiport --dports 80,443 -m tcp --tcp-flags FIN,SYN,RST,ACK SYN"
AT_ONCE = "-m connlimit --connlimit-above 256 --connlimit-mask {} --connlimit-saddr -j REJECT --reject-with tcp-reset"
NEW = "-m hashlimit --hashlimit-above 100/sec --hashlimit-burst 500 --hashlimit-mode srcip --hashlimit-name {}"
REFUSED = "-j REJECT --reject-with tcp-reset"
LISTED = {
    4: [f"{WEB} {AT_ONCE.format(32)}", f"{WEB} {NEW.format('web100-500-32')} {REFUSED}"],
    6: [f"{WEB} {AT_ONCE.format(64)}", f"{WEB} {NEW.format('web100-500-64')} --hashlimit-srcmask 64 {REFUSED}"],
}


@pytest.mark.parametrize("family", [4, 6])
def test_what_a_visitor_may_not_exceed_has_one_name_in_the_file_and_in_the_kernel(family):
    alone = {part: ["10.0.0.1"] for part in ALL}
    wanted = rules((), STACK, Topology.seen_from("10.0.0.1", alone), ALL, (22,), bounds=BOUNDS)
    lets_in = ["-p tcp -m tcp --dport 22 -j ACCEPT", "-p tcp -m tcp --dport 80 -j ACCEPT"]
    lets_in += ["-p tcp -m tcp --dport 443 -j ACCEPT"]
    lets_in += [f"-s 10.9.0.0/16 -p tcp -m tcp --dport {port} -j ACCEPT" for port in (80, 443) if family == 4]
    ufw = {4: "ufw", 6: "ufw6"}[family]
    kernel = [f"-A {ufw}-user-input {rule}" for rule in [*lets_in, *LISTED[family]]]
    assert rule_names(_text(wanted, family).splitlines()) == rule_names(kernel)
    assert not any("-m " in name for name in rule_names(kernel))


def test_a_visitor_is_refused_ahead_of_what_lets_everybody_in_and_behind_the_proxies():
    alone = {part: ["10.0.0.1"] for part in ALL}
    wanted = rules((), STACK, Topology.seen_from("10.0.0.1", alone), ALL, (22,), bounds=BOUNDS)
    assert [str(rule) for rule in wanted] == [
        "22/tcp from anywhere",
        "80/tcp from 10.9.0.0/16",
        "443/tcp from 10.9.0.0/16",
        "80,443/tcp beyond 256 connections of an address, or of a /64",
        "80,443/tcp beyond 500 new connections at once, 100 a second, of an address, or of a /64",
        "80/tcp from anywhere",
        "443/tcp from anywhere",
    ]
    only_database = rules((), STACK, Topology.seen_from("10.0.0.1", CLUSTER), ["database"], (22,), bounds=BOUNDS)
    assert not any("beyond" in str(rule) for rule in only_database)


@pytest.mark.parametrize(
    ("marks", "theirs", "counted"),
    [({}, (), True), ({}, ("/etc/nginx/conf.d/shop.conf",), False), ({"nginx": OUR_MARK}, ("/etc/nginx/x",), True)],
    ids=["fresh", "an owner's sites", "ours by its mark"],
)
def test_visitors_of_an_owners_sites_are_not_ours_to_count(monkeypatch, marks, theirs, counted):
    facts = {Marks: marks, NginxState: NginxOnHost(owner_files=theirs)}
    monkeypatch.setattr(deploy, "host", SimpleNamespace(get_fact=facts.__getitem__))
    assert deploy._owner_has_sites() != counted


def test_other_figures_are_other_rules_and_another_table_of_the_kernels():
    """It goes on with the figures that a table was made with."""
    texts = set()
    for changed in ({}, {"connections": 300}, {"rate": 50}, {"burst": 400}, {"ipv6_network": 48}):
        topology = Topology.seen_from("10.0.0.4", CLUSTER)
        wanted = rules((), STACK, topology, ["edge"], (22,), bounds=replace(BOUNDS, **changed))
        texts.add(frozenset(rule_names(_text(wanted, 6).splitlines())))
        assert f"--hashlimit-name web{changed.get('rate', 100)}-{changed.get('burst', 500)}" in _text(wanted, 6)
    assert len(texts) == 5


def test_what_ufw_and_others_keep_for_themselves_is_no_rule():
    assert (
        rule_names(["-A INPUT -j ufw-before-input", "-A ufw-before-input -i lo -j ACCEPT", "-A FORWARD -j DOCKER"])
        == set()
    )


def test_a_host_without_ufw_has_no_rules_and_is_not_filtered():
    found = _state(kernel4=["none"], kernel6=["none"])
    assert not found.in_force
    assert not FirewallState().default().in_force


def test_the_kernel_counts_not_ufws_word():
    both = {"kernel4": _kernel(), "kernel6": _kernel(ufw="ufw6")}
    assert _state(**both).in_force
    assert _state(**{**both, "kernel6": ["none"]}).in_force, "without IPv6 there is nothing to filter"
    for family, lines in both.items():
        for line in lines:
            broken = {**both, family: [other for other in lines if other != line]}
            assert not _state(**broken).in_force, line
    assert _state(**both, pending="active").unconfirmed


TEXTS = {4: _text([Allow(port=22), Allow(port=443)], 4), 6: _text([Allow(port=22), Allow(port=443)], 6)}
REJECT_ENDED = (
    "-P INPUT ACCEPT",
    "-P FORWARD ACCEPT",
    "-P OUTPUT ACCEPT",
    "-N DOCKER",
    "-N f2b-sshd",
    "-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd",
    "-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT",
    "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT",
    "-A INPUT -j REJECT --reject-with icmp-host-prohibited",
    "-A FORWARD -o docker0 -j DOCKER",
    "-A f2b-sshd -s 192.0.2.1/32 -j REJECT --reject-with icmp-port-unreachable",
)
"""As cloud images bring it, with Docker and an action of fail2ban's beside."""
OPEN = ("-P INPUT ACCEPT", "-P FORWARD ACCEPT", "-P OUTPUT ACCEPT")
BEFORE = """*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p tcp --dport 1 -j REDIRECT --to-ports 2
COMMIT
*filter
:ufw-before-input - [0:0]
:ufw-before-output - [0:0]
:ufw-before-forward - [0:0]
:ufw-not-local - [0:0]
# a comment
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-input -j ufw-not-local
COMMIT
"""


def test_changes_name_each_rule_once_and_say_where_it_is_missing():
    lost = _kernel("-p tcp -m tcp --dport 22 -j ACCEPT", "-p tcp -m tcp --dport 9999 -j ACCEPT")
    found = _state(TEXTS[4], TEXTS[6], lost, [line.replace("ufw-", "ufw6-") for line in lost])
    assert rule_changes(found, TEXTS, ours=True) == [
        Change("rule", "443/tcp from anywhere", "create", "the kernel does not have it", becomes="let in"),
        Change(
            "rule",
            "9999/tcp from anywhere",
            "remove",
            "the kernel has it, ufw does not know it",
            was="let in",
            effect="who is connected stays, nobody new gets in",
        ),
    ]
    nothing = _state(TEXTS[4], TEXTS[6], OPEN, OPEN)
    assert rule_changes(nothing, TEXTS, ours=True) == [], "the operation that starts it names what is lost"


def test_what_decides_ahead_of_ufw_is_a_change_and_another_programs_chain_is_not():
    stray = '-A INPUT -p tcp -m comment --comment "a b; reboot" -j REJECT'
    rules = ["-p tcp -m tcp --dport 22 -j ACCEPT", "-p tcp -m tcp --dport 443 -j ACCEPT"]
    kernel = [*_kernel(*rules), stray, "-A INPUT -j ts-input", "-A INPUT -j f2b-sshd", "-A FORWARD -i wg0 -j ACCEPT"]
    found = _state(TEXTS[4], TEXTS[6], kernel, ["none"])
    assert [(one.action, one.target) for one in rule_changes(found, TEXTS, ours=True)] == [
        ("remove", stray.removeprefix("-A "))
    ]
    loaded = compose_table(found.families[4], TEXTS[4], 4, ours=True)
    assert stray not in loaded
    assert {"-A INPUT -j ts-input", "-A INPUT -j f2b-sshd", "-A FORWARD -i wg0 -j ACCEPT"} <= set(loaded.splitlines())


def test_the_whole_table_has_others_objects_in_front_and_ufws_as_its_own_start_loads_them():
    found = _state(kernel4=REJECT_ENDED, kernel6=OPEN, before=BEFORE)
    lines = compose_table(found.families[4], TEXTS[4], 4, ours=False).splitlines()
    assert lines[:4] == ["*filter", ":INPUT DROP [0:0]", ":FORWARD DROP [0:0]", ":OUTPUT ACCEPT [0:0]"]
    assert lines[-1] == "COMMIT"
    assert lines.count("*filter") == lines.count("COMMIT") == 1
    chains = [line for line in lines if line.startswith(":")]
    assert len(chains) == len(set(chains))
    assert {":DOCKER - [0:0]", ":f2b-sshd - [0:0]", ":ufw-not-local - [0:0]", ":ufw-user-input - [0:0]"} <= set(chains)
    rules = [line for line in lines if line.startswith("-")]
    assert rules[:3] == [REJECT_ENDED[5], *REJECT_ENDED[9:]], "theirs as they were, the owner's gone"
    assert rules.index("-A INPUT -j ufw-before-input") > rules.index(REJECT_ENDED[5])
    assert not [line for line in lines if "REDIRECT" in line or "--reject-with icmp-host-prohibited" in line]
    for rule in ("-A ufw-user-input -p tcp --dport 22 -j ACCEPT", "-A ufw-before-input -j ufw-user-input"):
        assert rules.count(rule) == 1


def _refused(**found):
    return {thing.thing: thing for thing in firewall_conflicts(_state(**found), TEXTS)}


@pytest.mark.parametrize(
    "found",
    [
        {"kernel4": REJECT_ENDED},
        {"kernel4": ["-P INPUT DROP", "-A INPUT -p tcp --dport 22 -j ACCEPT"]},
        {"kernel6": ["-P INPUT DROP"]},
        {"kernel4": ["-P OUTPUT DROP"]},
        {"kernel4": ["-P INPUT ACCEPT", "-A INPUT -j MINE"]},
        {"text4": "-A ufw-user-input -p tcp --dport 22 -j DROP"},
        {"kernel4": _kernel("-p tcp -m tcp --dport 9000 -j ACCEPT")},
        {"rivals": ["nftables.service"]},
        {"nft": "table inet filter {\n\tchain i {\n\t\ttype filter hook input priority filter; policy drop;\n\t}\n}"},
        {"nft": "table ip mine {\n\tchain i {\n\t\ttype filter hook input priority 0;\n\t\ttcp dport 1 drop\n\t}\n}"},
    ],
)
def test_what_an_owner_filters_with_is_refused_and_can_be_adopted(found):
    assert _refused(**found)[RULES_SUBJECT].adoptable


@pytest.mark.parametrize(
    "found",
    [
        {"kernel4": ["none"], "kernel6": ["none"]},
        {"kernel4": OPEN, "kernel6": OPEN},
        {"kernel4": [*OPEN, "-A INPUT -p tcp --dport 22 -j ACCEPT"]},
        {"kernel4": ["-P INPUT ACCEPT", "-P FORWARD DROP", "-A FORWARD -j DOCKER-USER", "-A INPUT -j LIBVIRT_INP"]},
        {"kernel4": [*OPEN, "-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd"]},
        {"kernel4": _kernel("-p tcp -m tcp --dport 22 -j ACCEPT")},
        {"nft": "table inet filter {\n\tchain i {\n\t\ttype filter hook input priority 0; policy accept;\n\t}\n}"},
        {"nft": "table ip bad {\n\tchain i {\n\t\ttype filter hook input priority 0;\n\t\tip saddr @b drop\n\t}\n}"},
        {"nft": "table ip nat2 {\n\tchain o {\n\t\ttype nat hook output priority 0; policy accept;\n\t}\n}"},
    ],
)
def test_what_lets_all_in_and_what_is_other_programs_is_not_refused(found):
    assert _refused(**found) == {}


def test_firewalld_cannot_be_adopted():
    thing = _refused(rivals=["firewalld.service"])["firewalld.service"]
    assert not thing.adoptable
    assert "systemctl disable --now firewalld" in thing.way_out


def test_the_way_back_waits_for_the_switch_and_the_new_login_and_no_longer_than_a_minute():
    assert SWITCH_SECONDS + CONFIRM_SECONDS < ROLLBACK_SECONDS <= 45


def test_the_ports_of_ssh_are_each_there_once():
    assert SshPorts().process(["2222", "22", "22"]) == [22, 2222]
    assert SshPorts().process([]) == []


def test_there_is_a_claim_for_each_rule():
    found = rules((), STACK, Topology.seen_from("10.0.0.1", CLUSTER), ["database"], [22])
    claims = {check.claim: check.command for check in checks(found)}
    assert (
        "-C ufw-user-input -p tcp --dport 5432 -s 10.0.0.2 -j ACCEPT"
        in claims["The kernel lets in 5432/tcp from 10.0.0.2"]
    )
    assert (
        "-C ufw6-user-input -p tcp --dport 5432 -s fd00::3 -j ACCEPT"
        in claims["The kernel lets in 5432/tcp from fd00::3"]
    )
