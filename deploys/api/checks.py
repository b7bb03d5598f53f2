"""What holds of the API on its host."""

from __future__ import annotations

from deploys.api.commands import is_prepared, is_ready
from deploys.component import Check
from deploys.recovery import check_no_core_dump, check_restart
from deploys.stack import Stack, Topology

EXPOSURE = 20
"""Tenths: what `systemd-analyze security` may say of the unit at most."""


def checks(stack: Stack, topology: Topology, *, first: bool, version: str) -> list[Check]:
    del topology
    all_checks = [check for port in stack.instances for check in _instance_checks(stack, port, version)]
    if first:
        all_checks.append(
            Check(
                "The database is migrated to the release that runs",
                is_prepared(stack, version),
                "run: healthv1 apply ENV; read: journalctl -u 'run-*' -t healthv1-api",
            )
        )
    return all_checks


def _instance_checks(stack: Stack, port: int, version: str) -> list[Check]:
    unit = f"health-v1-api@{port}.service"
    pid = f"$(systemctl show -p MainPID --value {unit})"
    journal = f"read: journalctl -u {unit}"
    return [
        Check(f"Instance {port} is ready", is_ready(port), journal),
        Check(
            f"Instance {port} starts with the host",
            f"systemctl is-enabled --quiet {unit}",
            f"run: systemctl enable {unit}",
        ),
        Check(
            f"Instance {port} runs the chosen release",
            f'test "$(readlink {stack.current})" = releases/{version} && '
            f"tr '\\0' ' ' < /proc/{pid}/cmdline | grep -q {stack.home} && "
            f'test "$(readlink -f /proc/{pid}/cwd)" = {stack.home}',
            "run: healthv1 apply ENV",
        ),
        Check(
            f"Instance {port} is not root",
            f'test "$(ps -o user:64= -p {pid} | tr -d " ")" = {stack.user}',
            "run: healthv1 apply ENV",
        ),
        Check(
            f"Instance {port} has no secret in its environment",
            f"tr '\\0' '\\n' < /proc/{pid}/environ | grep -q ^PROMETHEUS_METRICS_PORT= && "
            f"! tr '\\0' '\\n' < /proc/{pid}/environ | grep -qE '(PASSWORD|SECRET|KEY|_URL|_DSN)[A-Z_]*='",
            "run: healthv1 apply ENV",
        ),
        check_no_core_dump(f"Instance {port}", unit),
        check_restart(f"Instance {port}", unit),
        Check(
            f"Instance {port} gives its metrics on loopback alone",
            f"ss -Hltn 'sport = :{stack.metrics_port(port)}' | awk '{{print $4}}' | grep -qx "
            f"'127.0.0.1:{stack.metrics_port(port)}'",
            journal,
        ),
        Check(
            f"Instance {port} is exposed to at most {EXPOSURE / 10}",
            f"systemd-analyze security --no-pager --threshold={EXPOSURE} {unit} >/dev/null",
            f"read: systemd-analyze security {unit}",
        ),
    ]
