"""What holds of bans: the kernel is asked whether it enforces them."""

from __future__ import annotations

from deploys.component import Check

UNIT = "fail2ban.service"
SPARE_COMMAND = "/etc/fail2ban/filter.d/ignorecommands/health-v1-spare"
DOCUMENTATION_ADDRESS = "192.0.2.1"
"""An address that belongs to nobody (RFC 5737)."""
_JOURNAL = f"read: journalctl -u {UNIT}, /var/log/fail2ban.log"
_PATH = "PATH=$PATH:/usr/sbin:/sbin"
# One word per line of the table, the banned addresses among them.
_KERNEL = "nft list table inet f2b-table 2>/dev/null | tr -s ' ,\\t{}' '\\n'"


def jails_running(jails: tuple[str, ...]) -> str:
    """Return a test that succeeds when the server answers and each jail is at work."""
    return " && ".join(f"fail2ban-client status {jail} >/dev/null" for jail in jails)


def bans_enforced(jails: tuple[str, ...]) -> str:
    """Return a test that succeeds when the kernel has every ban that our jails know of. Tried twice: bans end."""
    ours = " ".join(jails)
    # One start of the client for all jails: it takes longer than all the rest. It quotes jails and addresses.
    bans = "fail2ban-client banned | tr '{' '\\n'"
    # A set without a rule that refuses who is in it bans nobody.
    compare = (
        f"{{ {_KERNEL}; echo; {bans}; }} | awk -F \"'\" -v ours=' {ours} '"
        """ '$0 == "" { told = 1 } !told && last == "set" { set = jail = $0; sub(/^addr6?-set-/, "", jail) } !told {
 within[jail, $0] = set; if ($0 ~ /^@/) ruled[substr($0, 2)]; last = $0 }
 told && index(ours, " " $2 " ") { for (i = 4; i < NF; i += 2)
 if (!(($2, $i) in within) || !(within[$2, $i] in ruled)) lost = 1 } END { exit lost }'"""
    )
    return f"{_PATH}; same() {{ {compare}; }}; same || {{ sleep 1; same; }}"


# The whole way of a real ban in $jail: through the server and its action into the kernel, and out again.
_BAN = f"""{_PATH}
in_kernel() {{ {_KERNEL} | grep -qxF {DOCUMENTATION_ADDRESS} && {_KERNEL} | grep -qxF "@addr-set-$jail"; }}
until_() {{ i=0; until "$@"; do i=$((i + 1)); [ $i -lt 40 ] || return 1; sleep 0.2; done; }}
not() {{ ! "$@"; }}
trap 'fail2ban-client unban {DOCUMENTATION_ADDRESS} >/dev/null' EXIT
fail2ban-client set "$jail" banip {DOCUMENTATION_ADDRESS} >/dev/null && until_ in_kernel &&
fail2ban-client set "$jail" unbanip {DOCUMENTATION_ADDRESS} >/dev/null && until_ not in_kernel"""

_LAST_LOGIN = (
    "journalctl -qr -n 1 -o cat -g '^Accepted publickey for ' _UID=0 _COMM=sshd + _UID=0 _COMM=sshd-session"
    " | sed -E 's/.* from ([^ ]+) port .*/\\1/'"
)


def checks(jails: tuple[str, ...]) -> list[Check]:
    return [
        Check("fail2ban answers", "fail2ban-client ping", _JOURNAL),
        *(Check(f"fail2ban's jail {jail} is at work", jails_running((jail,)), _JOURNAL) for jail in jails),
        Check(
            "A ban reaches the kernel, and is lifted again",
            f"jail={jails[0]}; {_BAN}",
            f"run: systemctl restart {UNIT}",
        ),
        Check("The kernel has every ban that fail2ban knows of", bans_enforced(jails), "run: healthv1 apply ENV"),
        Check(
            "Whoever logged in with a key is spared",
            f'{SPARE_COMMAND} "$({_LAST_LOGIN})"'
            + "".join(
                f' && test "$(fail2ban-client get {jail} ignorecommand)" = "{SPARE_COMMAND} <ip>"' for jail in jails
            ),
            "run: healthv1 apply ENV",
        ),
        Check("Bans start with the host", f"systemctl is-enabled --quiet {UNIT}", f"run: systemctl enable {UNIT}"),
    ]
