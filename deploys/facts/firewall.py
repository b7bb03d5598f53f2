"""What ufw has written down, and what the kernel does: the two can differ, and the kernel's is what counts."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Literal

from pyinfra.api.facts import FactBase

Family = Literal[4, 6]
ROLLBACK = "health-v1-ufw-rollback"
"""The timer that opens the firewall again unless the connection that closed it is still alive to stop it."""

_STATE = f"""PATH=$PATH:/usr/sbin:/sbin
for file in user user6; do echo "== $file"; cat /etc/ufw/$file.rules 2>/dev/null
  echo "== $file rights"; stat -c "0%a %U:%G" /etc/ufw/$file.rules 2>/dev/null; done
for iptables in iptables ip6tables; do echo "== $iptables"; $iptables -S 2>/dev/null || echo none; done
echo "== pending"; systemctl is-active {ROLLBACK}.timer 2>/dev/null | grep -x active; true"""

_RULE = re.compile(r"-A ufw6?-user-(?:input|output|forward) .*|-A INPUT .*-j ACCEPT.*")
_PORT = re.compile(r"ufw-user-input(?: -s (\S+))? -p (tcp|udp) --dport ([0-9:]+)(?: -s (\S+))? -j ACCEPT")


@dataclass(frozen=True)
class Rules:
    """One family's."""

    text: str = ""
    """Of the file that is loaded when the host boots."""
    rights: str = ""
    """The mode and owner of that file."""
    kernel: tuple[str, ...] = ()
    """As `iptables -S` lists them: policies, chains and rules."""
    absent: bool = False
    """The kernel has no such family."""

    @property
    def in_force(self) -> bool:
        """The kernel drops what no rule lets in, and asks ufw's rules."""
        ufw = "ufw6" if any("ufw6-" in line for line in self.kernel) else "ufw"
        needed = {
            "-P INPUT DROP",
            f"-A INPUT -j {ufw}-before-input",
            f"-A {ufw}-before-input -i lo -j ACCEPT",
            f"-A {ufw}-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            f"-A {ufw}-before-input -j {ufw}-user-input",
        }
        return self.absent or needed <= set(self.kernel)


@dataclass(frozen=True)
class Firewall:
    families: dict[Family, Rules] = field(default_factory=lambda: {4: Rules(), 6: Rules()})
    unconfirmed: bool = False
    """It was closed by a run that did not live to see that it still got through."""

    @property
    def in_force(self) -> bool:
        return all(rules.in_force for rules in self.families.values())


def named(lines: list[str] | tuple[str, ...]) -> set[str]:
    """Return how people call the rules among `lines`: "443/tcp from anywhere"; what is unusual, as it stands."""
    return {_name(line) for line in lines if _RULE.fullmatch(line)}


def _name(line: str) -> str:
    text = re.sub(r" -m (tcp|udp)(?= )", "", line.removeprefix("-A ").replace("ufw6-", "ufw-"))
    found = _PORT.fullmatch(text)
    if not found:
        return text
    before, protocol, port, after = found.groups()
    return f"{port}/{protocol} from {_source(before or after)}"


def _source(text: str | None) -> str:
    if not text:
        return "anywhere"
    network = ipaddress.ip_network(text, strict=False)
    return str(network.network_address) if network.num_addresses == 1 else str(network)


class FirewallState(FactBase[Firewall]):
    """A `Firewall`; without ufw, one without rules."""

    default = Firewall

    def command(self) -> str:
        return _STATE

    def process(self, output: list[str]) -> Firewall:
        parts: dict[str, list[str]] = {}
        for line in output:
            if line.startswith("== "):
                parts[line[3:]] = []
            else:
                parts[next(reversed(parts))].append(line)
        sources: tuple[tuple[Family, str, str], ...] = ((4, "user", "iptables"), (6, "user6", "ip6tables"))
        families = {
            family: Rules(
                text="".join(f"{line}\n" for line in parts[file]),
                rights="".join(parts[f"{file} rights"]),
                kernel=tuple(parts[program]),
                absent=family == 6 and parts[program] == ["none"],
            )
            for family, file, program in sources
        }
        return Firewall(families, unconfirmed=bool(parts["pending"]))
