"""What holds of sshd: the program itself is asked what its files mean for the account that we sign in as."""

from __future__ import annotations

import shlex

from deploys.component import Check

AUTHORITIES = "/etc/ssh/health-v1-authorities"
CERTIFICATES = "/etc/ssh/sshd_config.d/00-health-v1-certificates.conf"


def show_configuration(user: str) -> str:
    """Return shell that prints what sshd's files mean for `user`, one lower-case keyword and its value per line."""
    return f"PATH=$PATH:/usr/sbin; sshd -T -C user={shlex.quote(user)},host=localhost,addr=127.0.0.1"


def penalties_check() -> Check:
    return Check(
        "sshd itself shuts nobody out: fail2ban does, and spares operators",
        "PATH=$PATH:/usr/sbin; sshd -T | grep -qix 'persourcepenalties no'",
        "run: healthv1 apply ENV; a file in /etc/ssh that says otherwise comes before 00-health-v1-penalties.conf",
    )


def checks(user: str, keys: str) -> list[Check]:
    is_trusted = f"grep -qx 'trustedusercakeys {AUTHORITIES}'"
    return [
        Check(
            f"sshd trusts the authority's certificates for {user}",
            f"{show_configuration(user)} | {is_trusted}",
            f"run: healthv1 apply ENV; a file in /etc/ssh that says otherwise comes before {CERTIFICATES}",
        ),
        Check(
            "sshd trusts that authority's key and no other",
            f"printf '%s' {shlex.quote(keys)} | cmp -s - {AUTHORITIES}"
            f' && test "$(stat -c "%a %U" {AUTHORITIES})" = "644 root"',
            "run: healthv1 apply ENV",
        ),
        Check(
            "A certificate opens no other account",
            f"! {{ {show_configuration('root')} | {is_trusted}; }}" if user != "root" else "true",
            f"read: sshd -T -C user=root; {CERTIFICATES} names one account",
        ),
    ]
