"""The firewall's rules follow from the parts, read the same in ufw's files and in the kernel; SSH is always there."""

import shlex

import pytest

from deploys.component import template
from deploys.facts.firewall import FirewallState, named
from deploys.facts.ssh import SshPorts
from deploys.faults import Refused
from deploys.operations.change import Change
from deploys.operations.firewall import _dropped, _of
from deploys.stack import Stack, Topology
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


def _state(text4="", text6="", kernel4=(), kernel6=(), pending=""):
    output = ["== user", *text4.splitlines(), "== user rights"]
    output += ["== user6", *text6.splitlines(), "== user6 rights"]
    output += ["== iptables", *kernel4, "== ip6tables", *kernel6, "== pending", *pending.split()]
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
    assert named(_text(found, 4).splitlines()) == {"22/tcp from anywhere", "1/tcp from 10.0.0.5"}
    assert named(_text(found, 6).splitlines()) == {"22/tcp from anywhere", "2/tcp from fd00::/8"}


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("-A ufw-user-input -p tcp -m tcp --dport 443 -j ACCEPT", "443/tcp from anywhere"),
        ("-A ufw6-user-input -s fd00::/8 -p udp -m udp --dport 53 -j ACCEPT", "53/udp from fd00::/8"),
        ("-A ufw-user-input -s 10.0.0.5/32 -p tcp -m tcp --dport 5432 -j ACCEPT", "5432/tcp from 10.0.0.5"),
        ("-A ufw-user-input -p tcp --dport 5432 -s 10.0.0.5 -j ACCEPT", "5432/tcp from 10.0.0.5"),
        ("-A ufw-user-input -s 192.0.2.1/32 -j DROP", "ufw-user-input -s 192.0.2.1/32 -j DROP"),
        ("-A INPUT -p tcp -m tcp --dport 9998 -j ACCEPT", "INPUT -p tcp --dport 9998 -j ACCEPT"),
    ],
)
def test_a_rule_has_one_name_in_the_file_and_in_the_kernel(line, name):
    assert named([line]) == {name}


def test_what_ufw_and_others_keep_for_themselves_is_no_rule():
    assert (
        named(["-A INPUT -j ufw-before-input", "-A ufw-before-input -i lo -j ACCEPT", "-A FORWARD -j DOCKER"]) == set()
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


def test_changes_name_each_rule_once_and_say_where_it_is_missing():
    wanted = _text([Allow(port=22), Allow(port=443)], 4)
    found = _state(
        _text([Allow(port=22), Allow(port=443), Allow(port=9999)], 4),
        kernel4=_kernel("-p tcp -m tcp --dport 22 -j ACCEPT", "-p tcp -m tcp --dport 9999 -j ACCEPT"),
    )
    assert list(_of(found.families[4], wanted)) == [
        Change("rule", "443/tcp from anywhere", "create", "the kernel does not have it", becomes="let in"),
        Change(
            "rule",
            "9999/tcp from anywhere",
            "remove",
            was="let in",
            effect="who is connected stays, nobody new gets in",
        ),
    ]
    nothing = _state(wanted, kernel4=["-P INPUT ACCEPT"])
    assert list(_of(nothing.families[4], wanted)) == [], "the operation that starts it names what is lost"


def test_what_lets_in_ahead_of_ufw_is_taken_out_of_the_kernel():
    stray = '-A INPUT -p tcp -m comment --comment "a b; reboot" -j ACCEPT'
    found = _state(kernel4=[*_kernel("-p tcp -m tcp --dport 1 -j ACCEPT"), stray])
    assert shlex.split(_dropped(found.families[4], found.families[6])) == ["iptables", "-D", *shlex.split(stray)[1:]]


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
