"""What holds of Redis on its host."""

from __future__ import annotations

from deploys.component import Check
from deploys.hardening import undumped
from deploys.redis.users import PROBE_KEY
from deploys.stack import Stack

UNIT = "redis-server.service"
LOGIN = "/var/lib/health-v1/redis-probe"
"""The probe's login, as a command: it goes to redis-cli by stdin, and into no argument list."""
ACCEPTED = f"{LOGIN}.accepted"
"""The one that the running server took last: it opens also when the other was already replaced."""
EXPOSURE = 15
"""Tenths: what `systemd-analyze security` may say of the unit at most."""


def works(stack: Stack) -> str:
    """Return a test that succeeds when a key can be set, read and deleted again."""
    commands = rf"SET {PROBE_KEY} works EX 60\nGET {PROBE_KEY}\nDEL {PROBE_KEY}\n"
    return rf"""test "$({_ask(stack, commands)} | tr '\n' ' ')" = 'OK OK works 1 '"""


def reloadable(stack: Stack) -> str:
    """Return a test that succeeds when the running server lets in who tells it to read its users again."""
    return _ask(stack, r"PING\n", ACCEPTED) + " | grep -qx PONG"


def _ask(stack: Stack, commands: str, login: str = LOGIN) -> str:
    return f"{{ cat {login}; printf '{commands}'; }} | timeout 10 redis-cli -p {stack.redis_port}"


def _refused(stack: Stack, commands: str, answer: str, login: str = "") -> str:
    return f"{{ {login} printf '{commands}'; }} | timeout 10 redis-cli -p {stack.redis_port} | grep -q '^{answer}'"


def checks(stack: Stack, addresses: tuple[str, ...], maxmemory: int) -> list[Check]:
    journal = f"read: journalctl -u {UNIT}, /var/log/redis/redis-server.log"
    listening = " ".join(sorted(_endpoint(address, stack.redis_port) for address in addresses))
    return [
        Check("Redis keeps and gives back a key", works(stack), journal),
        Check(
            "Redis answers nobody without a password",
            _refused(stack, r"PING\n", "NOAUTH"),
            f"run apply, then: systemctl restart {UNIT}",
        ),
        Check(
            "Who has logged in to Redis cannot change its configuration",
            _refused(stack, r"CONFIG SET maxmemory 0\n", "NOPERM", f"cat {LOGIN};"),
            "run apply",
        ),
        Check(
            f"Redis listens on {' and '.join(addresses)} alone",
            f"test \"$(ss -Hltn 'sport = :{stack.redis_port}' | awk '{{print $4}}' | sort -u | tr '\\n' ' ')\""
            f" = '{listening} '",
            "run apply",
        ),
        Check(
            f"Redis takes at most {maxmemory} MiB, and a tenth of them is free",
            _ask(stack, r"INFO memory\n") + " | tr -d '\\r' | awk -F: '$1 == \"used_memory\" {used = $2}"
            f' $1 == "maxmemory" {{most = $2}} END {{exit !(most == {maxmemory * 2**20} && used < most * 0.9)}}\'',
            "give redis.memory more in group_data, or find what fills it",
        ),
        Check(
            "Redis starts with the host",
            f"systemctl is-enabled --quiet {UNIT}",
            f"run: systemctl enable {UNIT}",
        ),
        undumped("Redis", UNIT),
        Check(
            f"Redis is exposed to at most {EXPOSURE / 10}",
            f"systemd-analyze security --no-pager --threshold={EXPOSURE} {UNIT} >/dev/null",
            f"read: systemd-analyze security {UNIT}",
        ),
    ]


def _endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
