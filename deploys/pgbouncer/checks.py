"""What holds of the pooler on an API host."""

from __future__ import annotations

from deploys.component import Check
from deploys.hardening import undumped
from deploys.pgbouncer.commands import INI, SOCKET, USERLIST, console, query, serving
from deploys.pgbouncer.settings import Pgbouncer
from deploys.stack import LOOPBACK, Stack, Topology

EXPOSURE = 20
"""Tenths: what `systemd-analyze security` may say of the unit at most."""
JOURNAL = "read: journalctl -u pgbouncer"


def checks(settings: Pgbouncer, stack: Stack, topology: Topology, users: tuple[str, ...]) -> list[Check]:
    """Return the claims. `users` are the accepted logins, the active one first."""
    return [
        *_service(settings, stack),
        *_admission(stack, topology, users),
        *_pooling(settings, stack, users[0]),
    ]


def _service(settings: Pgbouncer, stack: Stack) -> list[Check]:
    pid = "$(systemctl show -p MainPID --value pgbouncer.service)"
    sockets = f"ss -Hltn 'sport = :{stack.pooler_port}' | awk '{{print $4}}' | sort -u"
    return [
        Check("The pooler runs", "systemctl is-active --quiet pgbouncer.service", JOURNAL),
        Check(
            "The pooler starts with the host",
            "systemctl is-enabled --quiet pgbouncer.service",
            "run: systemctl enable pgbouncer",
        ),
        Check(
            "The pooler listens on loopback alone",
            f'test "$({sockets})" = "{LOOPBACK}:{stack.pooler_port}"',
            f"read listen_addr in {INI}, then run apply",
        ),
        Check(
            f"The pooler may open {settings.limit_nofile} files",
            f"test \"$(awk '/^Max open files/ {{print $4}}' /proc/{pid}/limits)\" -ge {settings.limit_nofile}",
            "run apply",
        ),
        undumped("The pooler", "pgbouncer.service"),
        Check(
            f"The pooler is exposed to at most {EXPOSURE / 10}",
            f"systemd-analyze security --no-pager --threshold={EXPOSURE} pgbouncer.service >/dev/null",
            "read: systemd-analyze security pgbouncer.service",
        ),
    ]


def _admission(stack: Stack, topology: Topology, users: tuple[str, ...]) -> list[Check]:
    wrong = f"{{ {query(stack, users[0], 'select 1', told='echo wrong')}; }} 2>&1"
    listed = " ".join(f'"{user}"' for user in sorted(users))
    encrypted = query(stack, users[0], "select ssl from pg_stat_ssl where pid = pg_backend_pid()")
    remote = Check(
        "The pooler speaks TLS to PostgreSQL on its other host",
        f'test "$({encrypted})" = t',
        f"read server_tls_sslmode in {INI}, then run apply",
    )
    return [
        Check(f"{' and '.join(users)} {'is' if len(users) == 1 else 'are'} served", serving(stack, users), JOURNAL),
        Check(
            "The pooler refuses a wrong password",
            f"{wrong} | grep -q 'authentication failed'",
            f"read auth_type in {INI}, then run apply",
        ),
        Check(
            "Only the pooler reads its passwords, and it has no others",
            f'test "$(stat -c "%a %U %G" {USERLIST})" = "600 postgres postgres"'
            f" && test \"$(cut -d' ' -f1 {USERLIST} | paste -sd ' ')\" = '{listed}'",
            "run apply",
        ),
        Check(
            "Nobody else reaches the pooler's console",
            f'test "$(stat -c "%a %U" {SOCKET})" = "750 postgres"'
            f" && ! grep -qE '^(admin|stats)_users *= *[^ ]' {INI} && {console(stack, 'show version')}",
            "run apply",
        ),
        *([remote] if topology.database != LOOPBACK else []),
    ]


def _pooling(settings: Pgbouncer, stack: Stack, user: str) -> list[Check]:
    in_force = {
        "auth_type": "scram-sha-256",
        "pool_mode": "transaction",
        "max_client_conn": settings.max_client_conn,
        "default_pool_size": settings.default_pool_size,
        "server_reset_query_always": 1,
    }
    lines = "|".join(f"{name}\\|{value}" for name, value in in_force.items())
    leave = query(stack, user, "set search_path = left_behind")
    # More often than there are connections: one of them would be the one that was left so.
    find = f"for i in 1 2 3 4 5; do {query(stack, user, 'show search_path')}; done"
    return [
        Check(
            "The pooler runs with its settings",
            f"test \"$({console(stack, 'show config')} | grep -cE '^({lines})\\|')\" -eq {len(in_force)}",
            "run: systemctl restart pgbouncer",
        ),
        Check(
            "What one client leaves behind, the next does not find",
            f'{leave} && found=$({find}) && test -n "$found" && ! echo "$found" | grep -q left_behind',
            f"read server_reset_query_always in {INI}, then run apply",
        ),
    ]
