"""Rule sets of iptables and nftables as values: the owner of each rule, and the complete filter table to load.

The kernel loads a table in one transaction: it is never half in force.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Family = Literal[4, 6]
UFW: dict[Family, str] = {4: "ufw", 6: "ufw6"}
PROGRAMS: dict[Family, str] = {4: "iptables", 6: "ip6tables"}
BUILT_IN = ("INPUT", "FORWARD", "OUTPUT")

_RULE = re.compile(r"-A ufw6?-user-(?:input|output|forward) .*")
_PORT = re.compile(r"ufw-user-input(?: -s (\S+))? -p (tcp|udp) --dport ([0-9:]+)(?: -s (\S+))? -j ACCEPT")
# The limits per visitor of the website: an IPv4 address, or an IPv6 network.
_WEB = r"ufw-user-input -p tcp -m multiport --dports (\S+) (?:--syn|--tcp-flags FIN,SYN,RST,ACK SYN)"
_CONNECTIONS = re.compile(rf"{_WEB} -m connlimit --connlimit-above (\d+) --connlimit-mask (\d+) .*")
_NEW_CONNECTIONS = re.compile(
    rf"{_WEB} -m hashlimit --hashlimit-above (\d+)/sec --hashlimit-burst (\d+) .* web\d+-\d+-(\d+)\b.*"
)
_UFW_RULE = re.compile(r"-[AN] ufw6?-.*|-A (?:INPUT|FORWARD|OUTPUT) -j ufw6?-\S+")
# Rules of Docker, libvirt and fail2ban, which add them again at any time.
_PROGRAM_RULE = re.compile(
    r".* -[jg] (?:DOCKER|LIBVIRT_|f2b-|fail2ban-).*|.* --match-set f2b-.*|.* -[io] (?:docker|virbr).*"
)
_DECIDES = re.compile(r".* -j (?:ACCEPT|DROP|REJECT)(?: .*)?")
_ACCEPTS = re.compile(r".* -j ACCEPT")
_HOOK = re.compile(r"\s*type .* hook (?:input|prerouting|ingress) .*")
_REFUSES = re.compile(r"\b(?:drop|reject)\b")


@dataclass(frozen=True)
class Rules:
    """The rules of one address family."""

    kernel: tuple[str, ...] = ()
    """The output of `iptables -S`: policies, chains and rules."""
    user_rules: str = ""
    """The text of ufw's user.rules, which is loaded at boot."""
    before_rules: str = ""
    """The text of ufw's before.rules."""
    after_rules: str = ""
    is_unsupported: bool = False
    """The kernel lacks this family."""

    @property
    def in_force(self) -> bool:
        """Whether the kernel drops by default and evaluates ufw's chains."""
        ufw = "ufw6" if any("ufw6-" in line for line in self.kernel) else "ufw"
        needed = {
            "-P INPUT DROP",
            f"-A INPUT -j {ufw}-before-input",
            f"-A {ufw}-before-input -i lo -j ACCEPT",
            f"-A {ufw}-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            f"-A {ufw}-before-input -j {ufw}-user-input",
        }
        return self.is_unsupported or needed <= set(self.kernel)


@dataclass(frozen=True)
class Table:
    """A table of nftables, other than those of iptables, Docker, libvirt and fail2ban."""

    family: str
    name: str
    lines: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.family} {self.name}"

    @property
    def blocks_incoming(self) -> bool:
        """Whether it refuses incoming packets by more than their source address, unlike a block list."""
        hooks = [line for line in self.lines if _HOOK.fullmatch(line)]
        refusing = (line for line in self.lines if _REFUSES.search(line) and "hook" not in line)
        return any("policy drop" in line for line in hooks) or (
            bool(hooks) and any("saddr" not in line for line in refusing)
        )


@dataclass(frozen=True)
class Firewall:
    families: dict[Family, Rules] = field(default_factory=lambda: {4: Rules(), 6: Rules()})
    tables: tuple[Table, ...] = ()
    rivals: tuple[str, ...] = ()
    """Enabled or active units that load other rules at boot."""
    unconfirmed: bool = False
    """A run switched the rules and died before it confirmed that SSH still works."""

    @property
    def in_force(self) -> bool:
        return all(rules.in_force for rules in self.families.values())

    @property
    def blocking_tables(self) -> tuple[Table, ...]:
        return tuple(table for table in self.tables if table.blocks_incoming)


def rule_names(lines: Iterable[str]) -> set[str]:
    """Return readable names of ufw's rules in `lines`: "443/tcp from anywhere". An unusual rule stays as it is."""
    return {rule_name(line) for line in lines if _RULE.fullmatch(line)}


def rule_name(line: str) -> str:
    text = re.sub(r" -m (tcp|udp)(?= )", "", line.removeprefix("-A ").replace("ufw6-", "ufw-"))
    if connections := _CONNECTIONS.fullmatch(text):
        ports, number, bits = connections.groups()
        return f"{ports}/tcp beyond {number} connections of {_visitor(bits)}"
    if new := _NEW_CONNECTIONS.fullmatch(text):
        ports, rate, burst, bits = new.groups()
        return f"{ports}/tcp beyond {burst} new connections at once, {rate} a second, of {_visitor(bits)}"
    allow = _PORT.fullmatch(text)
    if not allow:
        return text
    before, protocol, port, after = allow.groups()
    return f"{port}/{protocol} from {_source(before or after)}"


def _visitor(bits: str) -> str:
    return "an address" if bits == "32" else f"a /{bits}"


def _source(text: str | None) -> str:
    if not text:
        return "anywhere"
    network = ipaddress.ip_network(text, strict=False)
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def unmanaged_rules(kernel: Iterable[str], ours: bool) -> list[str]:
    """Return the rules that a switch to our table removes.

    If the firewall is ours: rules added to INPUT with a verdict of their own; a jump to another program's chain stays.
    Else: all of the owner's rules in INPUT and OUTPUT. FORWARD is never ours.
    """
    chains = ("-A INPUT ",) if ours else ("-A INPUT ", "-A OUTPUT ")
    rules = [line for line in kernel if line.startswith(chains) and not _is_managed(line)]
    return [line for line in rules if not ours or _DECIDES.fullmatch(line)]


def _is_managed(line: str) -> bool:
    return bool(_UFW_RULE.fullmatch(line) or _PROGRAM_RULE.fullmatch(line))


def restricting_rules(kernel: tuple[str, ...]) -> list[str]:
    """Return the owner's rules and policies in INPUT and OUTPUT that ufw's would replace. None if they accept all.

    + kernel: the rules of a host whose firewall is not ours.
    """
    restricting = []
    for chain in ("INPUT", "OUTPUT"):
        # With ufw in the kernel the policy is ufw's.
        policy = [f"-P {chain} DROP"] if not any(f"-A {chain} -j ufw" in line for line in kernel) else []
        policy = [line for line in policy if line in kernel]
        rules = [line for line in unmanaged_rules(kernel, ours=False) if line.startswith(f"-A {chain} ")]
        if policy or not all(_ACCEPTS.fullmatch(rule) for rule in rules):
            restricting += policy + rules
    return restricting


def compose_table(rules_now: Rules, text: str, family: Family, ours: bool) -> str:
    """Return the complete filter table for `iptables-restore`: ufw's files, and the chains of other programs.

    + text: the wanted user.rules of ufw.
    """
    removed = set(unmanaged_rules(rules_now.kernel, ours))
    rules = [
        line
        for line in rules_now.kernel
        if line.startswith("-A ") and not _UFW_RULE.fullmatch(line) and line not in removed
    ]
    chains = [line.split()[1] for line in rules_now.kernel if line.startswith("-N ") and not _UFW_RULE.fullmatch(line)]
    ufw_chains, ufw_rules = _ufw_chains_and_rules(rules_now, text, UFW[family])
    policies = [":INPUT DROP [0:0]", ":FORWARD DROP [0:0]", ":OUTPUT ACCEPT [0:0]"]
    declared = [f":{chain} - [0:0]" for chain in dict.fromkeys([*chains, *ufw_chains])]
    return "\n".join(["*filter", *policies, *declared, *rules, *ufw_rules, "COMMIT", ""])


def _ufw_chains_and_rules(rules_now: Rules, text: str, ufw: str) -> tuple[list[str], list[str]]:
    """Return ufw's chains and rules in the order of ufw-init."""
    kinds = ("before-logging", "before", "after", "after-logging", "reject", "track")
    directions = tuple(chain.lower() for chain in BUILT_IN)
    chains = [f"{ufw}-{kind}-{direction}" for kind in kinds for direction in directions]
    chains += [
        f"{ufw}-logging-deny",
        f"{ufw}-logging-allow",
        *(f"{ufw}-skip-to-policy-{direction}" for direction in directions),
    ]
    rules = [f"-A {direction.upper()} -j {ufw}-{kind}-{direction}" for direction in directions for kind in kinds]
    rules += [
        f"-A {ufw}-track-output -p {protocol} -m conntrack --ctstate NEW -j ACCEPT" for protocol in ("tcp", "udp")
    ]
    rules += [
        f"-A {ufw}-skip-to-policy-{direction} -j {verdict}"
        for direction, verdict in zip(directions, ("DROP", "DROP", "ACCEPT"), strict=True)
    ]
    for file in (rules_now.before_rules, rules_now.after_rules, text):
        more_chains, more_rules = _filter_table(file)
        chains, rules = chains + more_chains, rules + more_rules
    return chains, rules + [f"-A {ufw}-before-{direction} -j {ufw}-user-{direction}" for direction in directions]


def _filter_table(text: str) -> tuple[list[str], list[str]]:
    """Return the chains and rules of the filter table in one of ufw's files. Its other tables are loaded at boot."""
    table, chains, rules = "", [], []
    for line in (line.strip() for line in text.splitlines()):
        table = line if line.startswith("*") else table
        if table != "*filter":
            continue
        if line.startswith(":") and line[1:].split()[0] not in BUILT_IN:
            chains.append(line[1:].split()[0])
        elif line.startswith("-"):
            rules.append(line)
    return chains, rules
