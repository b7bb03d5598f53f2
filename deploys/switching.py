"""The switch from one rule set to another, in shell: one step whose way back is armed before it.

Not by ufw's own commands: they empty the chains before they fill them again, and whoever is killed between is locked
out. Nothing of it is on the disk before a new connection has confirmed it: a host that boots meanwhile boots as before.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from deploys.before import keep_aside
from deploys.facts.firewall import ROLLBACK
from deploys.marks import mark
from deploys.paths import FIREWALL, MARKS
from deploys.rulesets import Table

MARK = ("firewall", "ufw")
ROLLBACK_SECONDS = 45
"""Seconds after which the rules that were there before come back."""
STATE_DIR = "/run/health-v1-ufw"
_NFT = f"{FIREWALL}/nftables"
_OWNER_PATHS = ("/etc/ufw", "/etc/default/ufw", "/etc/nftables.conf", "/etc/nftables.d", "/etc/iptables")

ROLLBACK_NOTE = f"the rules that were there before come back by themselves within {ROLLBACK_SECONDS} s"

START_ROLLBACK = f"systemctl start --no-block {ROLLBACK}.service"

# The functions of all scripts below. Tables are saved without counters and times: what is saved twice is the same. An
# empty table of iptables' is saved as nothing.
_FUNCTIONS = f"""set -eu; umask 077; PATH=$PATH:/usr/sbin:/sbin
saved() {{ "$1"-save -t filter 2>/dev/null | sed '/^#/d; /^:/s/ \\[.*/ [0:0]/' > "$2"
  [ -s "$2" ] || printf '%s\\n' '*filter' ':INPUT ACCEPT [0:0]' ':FORWARD ACCEPT [0:0]' ':OUTPUT ACCEPT [0:0]' \\
    COMMIT > "$2"; }}
tables() {{ for table in $1; do table="${{table%:*}} ${{table#*:}}"
  printf 'table %s {{\\n}}\\ndelete table %s\\n' "$table" "$table"; [ -n "$2" ] || nft list table $table; done; }}
pending() {{ systemctl -q is-active {ROLLBACK}.timer {ROLLBACK}.service 2>/dev/null; }}
settled() {{ while systemctl -q is-active {ROLLBACK}.service 2>/dev/null; do sleep 0.1; done; }}
"""

# Where even the old rules cannot be had again all is let in: a host that nobody can reach helps nobody.
_ROLLBACK = f"""PATH=$PATH:/usr/sbin:/sbin; cd {STATE_DIR} || exit 0
for family in '' 6; do [ ! -e old$family ] || ip${{family}}tables-restore -w 5 < old$family ||
  printf '%s\\n' '*filter' ':INPUT ACCEPT' ':FORWARD ACCEPT' ':OUTPUT ACCEPT' COMMIT | ip${{family}}tables-restore -w 5
done
[ ! -s old.nft ] || nft -f old.nft
[ ! -e unmarked ] || rm -f {MARKS}/{MARK[0]}
cd /; rm -rf {STATE_DIR}"""

# $1 a test that SSH is let in, $2 nftables' tables that go, as family:name, $3 shell that copies aside, $4 whether a
# table of iptables' name is among $2, $5 shell that marks. On stdin both families' tables, each to be loaded whole.
SWITCH = f"""{_FUNCTIONS}
if pending; then systemctl start {ROLLBACK}.service 2>/dev/null || true; settled; fi
systemctl stop {ROLLBACK}.timer 2>/dev/null || true; rm -rf {STATE_DIR}; mkdir {STATE_DIR}; cd {STATE_DIR}
awk '/^== / {{ file = $2; next }} {{ print > file }} END {{ print "" > (file == "end" ? file : "broken") }}'
[ -e end ] || {{ echo "the rules did not arrive whole" >&2; exit 1; }}
ip6tables -S INPUT >/dev/null 2>&1 || rm -f new6
for family in '' 6; do [ ! -e new$family ] || grep -q -- "-A ufw$family-before-input .*ESTABLISHED" new$family || {{
  echo "/etc/ufw/before$family.rules does not let in the answers to what this host asks" >&2; exit 1; }}; done
[ ! -x /etc/ufw/before.init ] || /etc/ufw/before.init start >&2
for family in '' 6; do [ ! -e new$family ] || [ -n "$4" ] || ip${{family}}tables-restore --test < new$family >&2; done
keep() {{ cmp -s -- "$1" {FIREWALL}/"$1" || cp -- "$1" {FIREWALL}/"$1"; }}
[ -z "$3" ] || {{ mkdir -p {FIREWALL}; saved iptables iptables; saved ip6tables ip6tables; tables "$2" "" > nftables
  keep iptables; keep ip6tables; keep nftables; sh -c "$3" >&2; }}
for family in '' 6; do [ ! -e new$family ] || saved ip${{family}}tables old$family; done
tables "$2" "" > old.nft; tables "$2" gone > gone.nft
[ -e {MARKS}/{MARK[0]} ] || : > unmarked
printf '%s\\n' {shlex.quote(_ROLLBACK)} > back
systemd-run --quiet --collect --unit={ROLLBACK} --on-active={ROLLBACK_SECONDS} --timer-property=AccuracySec=100ms \\
  sh {STATE_DIR}/back
sh -c "$5"
load() {{ for family in '' 6; do
  [ ! -e new$family ] || ip${{family}}tables-restore -w 5 < new$family || return 1; done; }}
drop() {{ [ ! -s gone.nft ] || nft -f gone.nft; }}
if [ -n "$4" ]; then drop && load; else load && drop; fi >&2 && sh -c "$1" >&2 || {{
  systemctl start {ROLLBACK}.service; settled; systemctl stop {ROLLBACK}.timer
  echo "the kernel would not have let SSH in: the rules that were there before are back" >&2; exit 1; }}"""

# It arrives over a new connection only if the kernel lets that in. A way back that has begun is let end, not met
# half-way.
CONFIRM = f"""{_FUNCTIONS}
there() {{ [ -e {STATE_DIR}/back ] || {{
  echo "the rules that were there before came back before this arrived: apply once more" >&2; exit 1; }}; }}
there
sh -c "$1" >&2 || {{ echo "the kernel does not let SSH in: {ROLLBACK_NOTE}" >&2; exit 1; }}
systemctl stop {ROLLBACK}.timer 2>/dev/null || true; settled; there
rm -rf {STATE_DIR}
[ ! -s /etc/ufw/sysctl.conf ] || sysctl -e -q -p /etc/ufw/sysctl.conf >&2 || true"""

# Run once the files lie in their places again.
_RESTORE_OWNER = f"""{_FUNCTIONS}
systemctl disable ufw.service >&2; sed -i s/^ENABLED=.*/ENABLED=no/ /etc/ufw/ufw.conf; rm -f {MARKS}/{MARK[0]}
iptables-restore -w 5 < {FIREWALL}/iptables
! ip6tables -S INPUT >/dev/null 2>&1 || ip6tables-restore -w 5 < {FIREWALL}/ip6tables
[ ! -s {_NFT} ] || nft -f {_NFT}
"""


def back_up_firewall(thing: str, rivals: Iterable[str]) -> str:
    """Return shell that copies aside what the owner filters with, as the kernel has it and as it is loaded at boot."""
    put_back = _RESTORE_OWNER + "\n".join(f"systemctl enable {unit} >&2 || true" for unit in rivals)
    return keep_aside(thing, [f"{FIREWALL}/iptables", f"{FIREWALL}/ip6tables", _NFT, *_OWNER_PATHS], put_back)


def switch_command(ssh: str, tables: Iterable[Table], backup: str) -> tuple[str, ...]:
    """Return the words of a command that loads both families' tables, which it reads.

    + ssh: a test that the kernel lets SSH in.
    + tables: those of nftables that go.
    + backup: shell that copies aside what goes, if it is not ours.
    """
    tables = tuple(tables)
    remove_first = any(table.name == "filter" and table.family in {"ip", "ip6"} for table in tables)
    table_list = " ".join(f"{table.family}:{table.name}" for table in tables)
    return ("sh", "-c", SWITCH, "switch", ssh, table_list, backup, "first" * remove_first, mark(*MARK))


def confirm_command(ssh: str) -> tuple[str, ...]:
    """Return the words of a command that has the way back stand down, and fails if it has gone already."""
    return ("sh", "-c", CONFIRM, "confirm", ssh)
