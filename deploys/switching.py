"""Shell for the switch from one rule set to another: one step, with a rollback timer armed before it.

ufw's own commands flush the chains before they fill them: a kill in between would lock everybody out. Nothing is
written to disk before a new connection confirms the switch: a reboot meanwhile loads the old rules.
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
"""Seconds until the rollback restores the old rules."""
STATE_DIR = "/run/health-v1-ufw"
_NFT = f"{FIREWALL}/nftables"
_OWNER_PATHS = ("/etc/ufw", "/etc/default/ufw", "/etc/nftables.conf", "/etc/nftables.d", "/etc/iptables")

ROLLBACK_NOTE = f"the rules that were there before come back by themselves within {ROLLBACK_SECONDS} s"

START_ROLLBACK = f"systemctl start --no-block {ROLLBACK}.service"

# Functions for all scripts below. Tables are saved without counters and timestamps, so that equal tables have equal
# text. iptables-save prints nothing for an empty table: save its policies.
_FUNCTIONS = f"""set -eu; umask 077; PATH=$PATH:/usr/sbin:/sbin
saved() {{ "$1"-save -t filter 2>/dev/null | sed '/^#/d; /^:/s/ \\[.*/ [0:0]/' > "$2"
  [ -s "$2" ] || printf '%s\\n' '*filter' ':INPUT ACCEPT [0:0]' ':FORWARD ACCEPT [0:0]' ':OUTPUT ACCEPT [0:0]' \\
    COMMIT > "$2"; }}
tables() {{ for table in $1; do table="${{table%:*}} ${{table#*:}}"
  printf 'table %s {{\\n}}\\ndelete table %s\\n' "$table" "$table"; [ -n "$2" ] || nft list table $table; done; }}
pending() {{ systemctl -q is-active {ROLLBACK}.timer {ROLLBACK}.service 2>/dev/null; }}
settled() {{ while systemctl -q is-active {ROLLBACK}.service 2>/dev/null; do sleep 0.1; done; }}
"""

# If the old rules cannot be restored, accept everything: an unreachable host helps nobody.
_ROLLBACK = f"""PATH=$PATH:/usr/sbin:/sbin; cd {STATE_DIR} || exit 0
for family in '' 6; do [ ! -e old$family ] || ip${{family}}tables-restore -w 5 < old$family ||
  printf '%s\\n' '*filter' ':INPUT ACCEPT' ':FORWARD ACCEPT' ':OUTPUT ACCEPT' COMMIT | ip${{family}}tables-restore -w 5
done
[ ! -s old.nft ] || nft -f old.nft
[ ! -e unmarked ] || rm -f {MARKS}/{MARK[0]}
cd /; rm -rf {STATE_DIR}"""

# $1 a test that SSH is let in, $2 the nftables tables to remove, as family:name, $3 shell for the backup, $4 non-empty
# if a table in $2 has iptables' name, $5 shell that sets the mark. stdin: the complete tables of both families.
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

# This runs over a new connection, so it arrives only if the kernel lets SSH in. A rollback that has begun is allowed to
# finish.
CONFIRM = f"""{_FUNCTIONS}
there() {{ [ -e {STATE_DIR}/back ] || {{
  echo "the rules that were there before came back before this arrived: apply once more" >&2; exit 1; }}; }}
there
sh -c "$1" >&2 || {{ echo "the kernel does not let SSH in: {ROLLBACK_NOTE}" >&2; exit 1; }}
systemctl stop {ROLLBACK}.timer 2>/dev/null || true; settled; there
rm -rf {STATE_DIR}
[ ! -s /etc/ufw/sysctl.conf ] || sysctl -e -q -p /etc/ufw/sysctl.conf >&2 || true"""

# Runs after the owner's files are restored.
_RESTORE_OWNER = f"""{_FUNCTIONS}
systemctl disable ufw.service >&2; sed -i s/^ENABLED=.*/ENABLED=no/ /etc/ufw/ufw.conf; rm -f {MARKS}/{MARK[0]}
iptables-restore -w 5 < {FIREWALL}/iptables
! ip6tables -S INPUT >/dev/null 2>&1 || ip6tables-restore -w 5 < {FIREWALL}/ip6tables
[ ! -s {_NFT} ] || nft -f {_NFT}
"""


def back_up_firewall(thing: str, rivals: Iterable[str]) -> str:
    """Return shell that backs up the owner's rules: those in the kernel, and the files loaded at boot."""
    put_back = _RESTORE_OWNER + "\n".join(f"systemctl enable {unit} >&2 || true" for unit in rivals)
    return keep_aside(thing, [f"{FIREWALL}/iptables", f"{FIREWALL}/ip6tables", _NFT, *_OWNER_PATHS], put_back)


def switch_command(ssh: str, tables: Iterable[Table], backup: str) -> tuple[str, ...]:
    """Return the words of a command that loads both families' tables from stdin.

    + ssh: a test that the kernel lets SSH in.
    + tables: the nftables tables to remove.
    + backup: shell that backs up foreign rules; empty if there are none.
    """
    tables = tuple(tables)
    remove_first = any(table.name == "filter" and table.family in {"ip", "ip6"} for table in tables)
    table_list = " ".join(f"{table.family}:{table.name}" for table in tables)
    return ("sh", "-c", SWITCH, "switch", ssh, table_list, backup, "first" * remove_first, mark(*MARK))


def confirm_command(ssh: str) -> tuple[str, ...]:
    """Return the words of a command that cancels the rollback. It fails if the rollback already ran."""
    return ("sh", "-c", CONFIRM, "confirm", ssh)
