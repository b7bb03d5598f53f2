"""What holds of Redis on its host."""

from __future__ import annotations

from deploys.component import Check
from deploys.packaged import REDIS
from deploys.paths import REDIS_ACCEPTED, REDIS_LOGIN
from deploys.recovery import check_no_core_dump, check_restart
from deploys.redis.users import PROBE_KEY
from deploys.redis_server import RedisServer
from deploys.stack import Stack

EXPOSURE = 15
"""Tenths: what `systemd-analyze security` may say of the unit at most."""


def is_working(stack: Stack) -> str:
    """Return a test that succeeds when a key can be set, read and deleted again."""
    commands = rf"SET {PROBE_KEY} works EX 60\nGET {PROBE_KEY}\nDEL {PROBE_KEY}\n"
    return rf"""test "$({_ask_redis(stack, commands)} | tr '\n' ' ')" = 'OK OK works 1 '"""


def can_reload_users(stack: Stack) -> str:
    """Return a test that succeeds when the running server lets in who tells it to read its users again."""
    return _ask_redis(stack, r"PING\n", REDIS_ACCEPTED) + " | grep -qx PONG"


def _ask_redis(stack: Stack, commands: str, login: str = REDIS_LOGIN) -> str:
    return f"{{ cat {login}; printf '{commands}'; }} | timeout 10 redis-cli -p {stack.redis_port}"


def _is_refused(stack: Stack, commands: str, answer: str, login: str = "") -> str:
    return f"{{ {login} printf '{commands}'; }} | timeout 10 redis-cli -p {stack.redis_port} | grep -q '^{answer}'"


def checks(
    server: RedisServer, stack: Stack, addresses: tuple[str, ...], maxmemory: int, *, persist: bool
) -> list[Check]:
    return [
        Check(
            "Redis keeps and gives back a key", is_working(stack), f"read: journalctl -u {server.unit}, {server.log}"
        ),
        *_admission_checks(server, stack, addresses),
        *_memory_checks(server, stack, maxmemory, persist=persist),
        *_service_checks(server),
    ]


def _admission_checks(server: RedisServer, stack: Stack, addresses: tuple[str, ...]) -> list[Check]:
    listening = " ".join(sorted(_endpoint(address, stack.redis_port) for address in addresses))
    return [
        Check(
            "Redis answers nobody without a password",
            _is_refused(stack, r"PING\n", "NOAUTH"),
            f"run: healthv1 apply ENV, then: systemctl restart {server.unit}",
        ),
        Check(
            "Who has logged in to Redis cannot change its configuration",
            _is_refused(stack, r"CONFIG SET maxmemory 0\n", "NOPERM", f"cat {REDIS_LOGIN};"),
            "run: healthv1 apply ENV",
        ),
        Check(
            f"Redis listens on {' and '.join(addresses)} alone",
            f"test \"$(ss -Hltn 'sport = :{stack.redis_port}' | awk '{{print $4}}' | sort -u | tr '\\n' ' ')\""
            f" = '{listening} '",
            "run: healthv1 apply ENV",
        ),
    ]


def _memory_checks(server: RedisServer, stack: Stack, maxmemory: int, *, persist: bool) -> list[Check]:
    state = "aof_enabled:1 aof_last_write_status:ok" if persist else "aof_enabled:0 aof_last_write_status:ok"
    select_lines = r" | tr -d '\r' | grep -E '^aof_(enabled|last_write_status):' | sort | paste -sd ' '"
    info = _ask_redis(stack, r"INFO persistence\n")
    no_data_left = "".join(f" && ! test -e {path}" for path in server.data_paths) * (not persist)
    return [
        Check(
            f"Redis takes at most {maxmemory} MiB, and a tenth of them is free",
            _ask_redis(stack, r"INFO memory\n") + " | tr -d '\\r' | awk -F: '$1 == \"used_memory\" {used = $2}"
            f' $1 == "maxmemory" {{most = $2}} END {{exit !(most == {maxmemory * 2**20} && used < most * 0.9)}}\'',
            "give redis.memory more in group_data, or find what fills it",
        ),
        Check(
            "What Redis holds is on disk" if persist else "Redis keeps nothing on disk",
            f"test \"$({info}{select_lines})\" = '{state}'{no_data_left}",
            f"look for space below {server.directory}, then run: healthv1 apply ENV",
        ),
    ]


def _service_checks(server: RedisServer) -> list[Check]:
    running = f"/proc/$(systemctl show -p MainPID --value {server.unit})/exe"
    program_check = Check(
        "Redis runs the program that is installed",
        f"! readlink {running} | grep -q '(deleted)$'",
        "run: healthv1 apply ENV: it was renewed, and the running one has its old faults",
    )
    packaged_unit_check = Check(
        f"{REDIS.unit} of our package is off", REDIS.is_off, f"run: systemctl disable --now {REDIS.unit}"
    )
    return [
        Check(
            "Redis starts with the host",
            f"systemctl is-enabled --quiet {server.unit}",
            f"run: systemctl enable {server.unit}",
        ),
        check_no_core_dump("Redis", server.unit),
        check_restart("Redis", server.unit),
        Check(
            f"Redis is exposed to at most {EXPOSURE / 10}",
            f"systemd-analyze security --no-pager --threshold={EXPOSURE} {server.unit} >/dev/null",
            f"read: systemd-analyze security {server.unit}",
        ),
        *([] if server.is_packaged else [program_check, packaged_unit_check]),
    ]


def _endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
