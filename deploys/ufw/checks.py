"""What holds of the firewall: the kernel is asked, not ufw."""

from __future__ import annotations

from collections.abc import Iterable

from deploys.component import Check
from deploys.rulesets import PROGRAMS, UFW, Family
from deploys.ufw.rules import Rule, VisitorLimit, iptables_rule, rules_of_family

# Whatever else loads rules at boot may throw ufw's away.
_RIVALS = ("nftables.service", "netfilter-persistent.service", "firewalld.service")


def lets_in(rules: Iterable[Rule]) -> str:
    """Return a test that succeeds if the kernel lets `rules` in by way of ufw, and drops what nobody let in."""
    rules = tuple(rules)
    return f"PATH=$PATH:/usr/sbin:/sbin; {_in_kernel(rules, 4)} && {_if_ipv6(_in_kernel(rules, 6))}"


def _in_kernel(rules: Iterable[Rule], family: Family) -> str:
    program, ufw = PROGRAMS[family], UFW[family]
    tests = [
        f"{program} -S INPUT | grep -qx -- '-P INPUT DROP'",
        f"{program} -C INPUT -j {ufw}-before-input",
        f"{program} -C {ufw}-before-input -j {ufw}-user-input",
        *(f"{program} -C {ufw}-user-input {iptables_rule(rule, family)}" for rule in rules_of_family(rules, family)),
    ]
    return " && ".join(tests)


def _lets_in_no_more_than(rules: Iterable[Rule], family: Family) -> str:
    program, ufw = PROGRAMS[family], UFW[family]
    return (
        f"test $({program} -S {ufw}-user-input | grep -c '^-A') -eq {len(rules_of_family(rules, family))}"
        f" && ! {program} -S INPUT | grep -q -- '-j ACCEPT'"
    )


def _if_ipv6(test: str) -> str:
    return f"{{ test ! -e /proc/net/if_inet6 || {{ {test}; }}; }}"


def _claim(rule: Rule) -> str:
    return f"The kernel refuses {rule}" if isinstance(rule, VisitorLimit) else f"The kernel lets in {rule}"


def checks(rules: tuple[Rule, ...]) -> list[Check]:
    apply = "run: healthv1 apply ENV; read: ufw status verbose"
    return [
        Check("ufw's rules are in force: the kernel drops what comes in unasked", lets_in(()), apply),
        *(Check(_claim(rule), lets_in([rule]), apply) for rule in rules),
        Check(
            "The kernel lets nothing else in",
            f"PATH=$PATH:/usr/sbin:/sbin; {_lets_in_no_more_than(rules, 4)}"
            f" && {_if_ipv6(_lets_in_no_more_than(rules, 6))}",
            apply,
        ),
        Check(
            "The firewall starts with the host",
            "grep -qx ENABLED=yes /etc/ufw/ufw.conf && systemctl is-enabled --quiet ufw.service",
            "run: healthv1 apply ENV",
        ),
        Check(
            "Nothing else rewrites the firewall when the host boots",
            f"! systemctl is-enabled {' '.join(_RIVALS)} 2>/dev/null | grep -qx enabled",
            f"disable what is enabled of {', '.join(_RIVALS)}",
        ),
    ]
