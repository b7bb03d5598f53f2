"""ufw's rule files and the kernel's rules. They can differ; the kernel's count."""

from __future__ import annotations

from collections.abc import Iterator

from pyinfra.api.facts import FactBase

from deploys.rulesets import Family, Firewall, Rules, Table

ROLLBACK = "health-v1-ufw-rollback"
"""The timer that restores the old rules unless a new SSH connection cancels it."""
RULE_LOADERS = ("nftables.service", "netfilter-persistent.service", "firewalld.service")
"""Other units that load rules at boot, and may replace ufw's."""

# nftables' tables but those of iptables and other programs, without set elements, which may be many. A table with
# iptables' name is not iptables' if a hooked chain has another name than INPUT, FORWARD or OUTPUT.
_STATE = f"""PATH=$PATH:/usr/sbin:/sbin
for family in '' 6; do
  for file in user before after; do echo "== $file$family"; cat /etc/ufw/$file$family.rules 2>/dev/null; done
  echo "== kernel$family"; ip${{family}}tables -S 2>/dev/null || echo none; done
theirs=; iptables -S >/dev/null 2>&1 || theirs=ip; ip6tables -S >/dev/null 2>&1 || theirs="$theirs ip6"
echo "== nft"; nft -t list ruleset 2>/dev/null | awk -v theirs=" $theirs " '
  function told() {{ if (table && (own || !skip)) printf "%s", text; table = own = 0; text = "" }}
  /^#/ {{ next }}
  /^table / {{ told(); table = 1; plain = $2 ~ /^ip6?$/ && $3 == "filter" && !index(theirs, " " $2 " ")
    skip = plain || $3 ~ /^(f2b|docker|libvirt)/ || ($2 ~ /^ip6?$/ && $3 ~ /^(nat|mangle|raw|security)$/) }}
  $1 == "chain" {{ chain = $2 }}
  / hook / {{ own = own || (plain && chain !~ /^(INPUT|FORWARD|OUTPUT)$/) }}
  {{ text = text $0 "\\n" }} END {{ told() }}'
echo "== rivals"; for unit in {" ".join(RULE_LOADERS)}; do
  if [ "$(systemctl is-enabled $unit 2>/dev/null)" = enabled ]; then echo $unit
  elif [ $unit = firewalld.service ] && systemctl -q is-active $unit 2>/dev/null; then echo $unit; fi; done
echo "== pending"; systemctl is-active {ROLLBACK}.timer 2>/dev/null | grep -x active; true"""


class FirewallState(FactBase[Firewall]):
    """A `Firewall`; without rules if ufw is not installed."""

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
        return Firewall(
            families={4: _rules(parts, ""), 6: _rules(parts, "6")},
            tables=tuple(_tables(parts["nft"])),
            rivals=tuple(parts["rivals"]),
            unconfirmed=bool(parts["pending"]),
        )


def _rules(parts: dict[str, list[str]], family: str) -> Rules:
    files = {file: "".join(f"{line}\n" for line in parts[f"{file}{family}"]) for file in ("user", "before", "after")}
    kernel = tuple(parts[f"kernel{family}"])
    return Rules(
        kernel=() if kernel == ("none",) else kernel,
        user_rules=files["user"],
        before_rules=files["before"],
        after_rules=files["after"],
        is_unsupported=family == "6" and kernel == ("none",),
    )


def _tables(lines: list[str]) -> Iterator[Table]:
    starts = [number for number, line in enumerate(lines) if line.startswith("table ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=False):
        _, family, name, *_ = lines[start].split()
        yield Table(family, name, tuple(lines[start + 1 : end]))


__all__ = ["ROLLBACK", "RULE_LOADERS", "Family", "FirewallState"]
