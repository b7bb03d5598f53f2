"""What holds of the pooler on an API host."""

from __future__ import annotations

from deploys.component import Check
from deploys.packaged import PGBOUNCER
from deploys.pgbouncer.commands import console, is_serving, query
from deploys.pgbouncer.settings import Pgbouncer
from deploys.pooler import Pooler
from deploys.recovery import check_no_core_dump, check_restart
from deploys.stack import LOOPBACK, Stack, Topology

EXPOSURE = 20
"""Tenths: what `systemd-analyze security` may say of the unit at most."""


def checks(
    pooler: Pooler, settings: Pgbouncer, stack: Stack, topology: Topology, users: tuple[str, ...]
) -> list[Check]:
    """Return the claims. `users` are the accepted logins, the active one first."""
    return [
        *_service_checks(pooler, settings, stack),
        *([] if pooler.is_packaged else _own_unit_checks(pooler)),
        *_admission_checks(pooler, stack, topology, users),
        *_pooling_checks(pooler, settings, stack, users[0]),
    ]


def _journal(pooler: Pooler) -> str:
    return f"read: journalctl -u {pooler.unit}"


def _service_checks(pooler: Pooler, settings: Pgbouncer, stack: Stack) -> list[Check]:
    pid = f"$(systemctl show -p MainPID --value {pooler.unit})"
    sockets = f"ss -Hltn 'sport = :{stack.pooler_port}' | awk '{{print $4}}' | sort -u"
    return [
        Check("The pooler runs", f"systemctl is-active --quiet {pooler.unit}", _journal(pooler)),
        Check(
            "The pooler starts with the host",
            f"systemctl is-enabled --quiet {pooler.unit}",
            f"run: systemctl enable {pooler.unit}",
        ),
        Check(
            "The pooler listens on loopback alone",
            f'test "$({sockets})" = "{LOOPBACK}:{stack.pooler_port}"',
            f"read listen_addr in {pooler.ini}, then run: healthv1 apply ENV",
        ),
        Check(
            f"The pooler may open {settings.limit_nofile} files",
            f"test \"$(awk '/^Max open files/ {{print $4}}' /proc/{pid}/limits)\" -ge {settings.limit_nofile}",
            "run: healthv1 apply ENV",
        ),
        check_no_core_dump("The pooler", pooler.unit),
        check_restart("The pooler", pooler.unit),
        Check(
            f"The pooler is exposed to at most {EXPOSURE / 10}",
            f"systemd-analyze security --no-pager --threshold={EXPOSURE} {pooler.unit} >/dev/null",
            f"read: systemd-analyze security {pooler.unit}",
        ),
    ]


def _own_unit_checks(pooler: Pooler) -> list[Check]:
    running = f"/proc/$(systemctl show -p MainPID --value {pooler.unit})/exe"
    return [
        Check(
            "The pooler runs the program that is installed",
            f"! readlink {running} | grep -q '(deleted)$'",
            "run: healthv1 apply ENV: it was renewed, and the running one has its old faults",
        ),
        Check(
            f"{PGBOUNCER.unit} of our package is off",
            PGBOUNCER.is_off,
            f"run: systemctl disable --now {PGBOUNCER.unit}",
        ),
    ]


def _admission_checks(pooler: Pooler, stack: Stack, topology: Topology, users: tuple[str, ...]) -> list[Check]:
    wrong_password_query = f"{{ {query(pooler, stack, users[0], 'select 1', print_password='echo wrong')}; }} 2>&1"  # noqa: S106 - a wrong one
    user_list = " ".join(f'"{user}"' for user in sorted(users))
    encrypted = query(pooler, stack, users[0], "select ssl from pg_stat_ssl where pid = pg_backend_pid()")
    remote = Check(
        "The pooler speaks TLS to PostgreSQL on its other host",
        f'test "$({encrypted})" = t',
        f"read server_tls_sslmode in {pooler.ini}, then run: healthv1 apply ENV",
    )
    return [
        Check(
            f"{' and '.join(users)} {'is' if len(users) == 1 else 'are'} served",
            is_serving(pooler, stack, users),
            _journal(pooler),
        ),
        Check(
            "The pooler refuses a wrong password",
            f"{wrong_password_query} | grep -q 'authentication failed'",
            f"read auth_type in {pooler.ini}, then run: healthv1 apply ENV",
        ),
        Check(
            "Only the pooler reads its passwords, and it has no others",
            f'test "$(stat -c "%a %U %G" {pooler.userlist})" = "600 postgres postgres"'
            f" && test \"$(cut -d' ' -f1 {pooler.userlist} | paste -sd ' ')\" = '{user_list}'",
            "run: healthv1 apply ENV",
        ),
        Check(
            "Nobody else reaches the pooler's console",
            f'test "$(stat -c "%a %U" {pooler.sockets})" = "750 postgres"'
            f" && ! grep -qE '^(admin|stats)_users *= *[^ ]' {pooler.ini} && {console(pooler, stack, 'show version')}",
            "run: healthv1 apply ENV",
        ),
        *([remote] if topology.database != LOOPBACK else []),
    ]


def _pooling_checks(pooler: Pooler, settings: Pgbouncer, stack: Stack, user: str) -> list[Check]:
    in_force = {
        "auth_type": "scram-sha-256",
        "pool_mode": "transaction",
        "max_client_conn": settings.max_client_conn,
        "default_pool_size": settings.default_pool_size,
        "server_reset_query_always": 1,
    }
    lines = "|".join(f"{name}\\|{value}" for name, value in in_force.items())
    set_session = query(pooler, stack, user, "set search_path = left_behind")
    # More often than there are connections: one of them would be the one that was left so.
    show_session = f"for i in 1 2 3 4 5; do {query(pooler, stack, user, 'show search_path')}; done"
    return [
        Check(
            "The pooler runs with its settings",
            f"test \"$({console(pooler, stack, 'show config')} | grep -cE '^({lines})\\|')\" -eq {len(in_force)}",
            f"run: systemctl restart {pooler.unit}",
        ),
        Check(
            "What one client leaves behind, the next does not find",
            f'{set_session} && found=$({show_session}) && test -n "$found" && ! echo "$found" | grep -q left_behind',
            f"read server_reset_query_always in {pooler.ini}, then run: healthv1 apply ENV",
        ),
    ]
