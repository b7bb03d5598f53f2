"""Whether a running Redis writes an append-only file. Read from its process: no login is needed."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api.facts import FactBase

from deploys.paths import STAMPS
from deploys.redis_server import RedisServer


@dataclass(frozen=True)
class Persistence:
    is_writing: bool | None = None
    """Whether the process has a complete append-only file open; None without a process."""
    log_exists: bool = False
    """An append-only file is on disk, in use or not."""
    started_with: str = ""
    """The SHA-256 of the configuration it was last started with, or has taken up since."""


def is_writing(server: RedisServer) -> str:
    """Return a test that succeeds while a complete append-only file is open: an incomplete one is named temp-."""
    opened = f"readlink /proc/$(systemctl show -p MainPID --value -- {server.unit})/fd/* 2>/dev/null"
    return rf"""{opened} | grep -vF temp- | grep -q '^{server.directory}/.*\.aof$'"""


class RedisPersistence(FactBase[Persistence]):
    default = Persistence

    def command(self, server: RedisServer) -> str:
        digest = f'$1 == "{server.configuration}" && length($2) == 64 {{ print "with=" $2 }}'
        return f"""{{ if systemctl is-active --quiet -- {server.unit}; then
if {is_writing(server)}; then echo writes=yes; else echo writes=no; fi; fi
for kept in {" ".join(server.data_paths)}; do [ ! -e "$kept" ] || echo kept=yes; done
awk -F '\\t' '{digest}' {STAMPS}/{server.unit}.restart; }} 2>/dev/null || true"""

    def process(self, output: list[str]) -> Persistence:
        values = dict(line.split("=", 1) for line in output)
        is_writing = values["writes"] == "yes" if "writes" in values else None
        return Persistence(is_writing, "kept" in values, values.get("with", ""))
