"""Conflicts with the owner's service of the same program that no open port shows: taken paths, ports at boot."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from deploys.foreign import Foreign
from deploys.marks import MANAGED
from deploys.packaged import PGBOUNCER, REDIS
from deploys.paths import MARKS
from deploys.pooler import Pooler
from deploys.redis_server import RedisServer

# Ports in use are checked elsewhere. This finds enabled units that are not running: they would take the port at boot.
_PORT_AT_BOOT = r"""waits() { systemctl is-enabled --quiet -- "$1" && ! systemctl is-active --quiet -- "$1"; }
set_to() { waits "$1" && [ "$2" = "$3" ] && printf 'port\t%s\t%s\n' "$1" "$3"; }"""


def redis_conflicts(server: RedisServer, port: int) -> str:
    """Return shell that prints the conflicts with our Redis, one per line."""
    unit_ports = rf"""for conf in /etc/redis/redis.conf /etc/redis/redis-*.conf; do
case $conf in */redis.conf) unit={REDIS.unit};;
*) unit=${{conf##*/redis-}}; unit=redis-server@${{unit%.conf}}.service;; esac
[ -f "$conf" ] && [ "$unit" != {shlex.quote(server.unit)} ] || continue
[ "$unit" != {REDIS.unit} ] || {REDIS.is_foreign} || continue
set_to "$unit" "$(awk 'tolower($1) == "port" {{ port = $2 }} END {{ print port == "" ? 6379 : port }}' "$conf")" {port}
done"""
    paths = (server.configuration, server.directory, server.drop_in, f"/etc/systemd/system/{server.unit}")
    return f"{_taken_paths('redis', *paths)}\n{_PORT_AT_BOOT}\n{unit_ports}"


def pooler_conflicts(pooler: Pooler, port: int) -> str:
    """Return shell that prints the conflicts with our PgBouncer, one per line."""
    read_port = rf"sed -n 's/^ *listen_port *= *\([0-9]*\).*/\1/p' {PGBOUNCER.configuration} 2>/dev/null | tail -n 1"
    unit_port = (
        rf"""{PGBOUNCER.is_foreign} && {{ said=$({read_port}); set_to {PGBOUNCER.unit} "${{said:-6432}}" {port}; }}"""
    )
    paths = (pooler.ini, pooler.userlist, pooler.unit_file, pooler.drop_in)
    return f"{_taken_paths('pgbouncer', *paths)}\n{_PORT_AT_BOOT}\n{unit_port}"


def _taken_paths(mark: str, configuration: str, *other_paths: str) -> str:
    """Return shell that prints those of our paths that exist, unless they are marked as ours."""
    is_ours = f"[ -e {MARKS}/{mark} ] || head -n 2 -- {configuration} 2>/dev/null | grep -qF '{MANAGED}'"
    return rf"""{is_ours} || for place in {shlex.join((configuration, *other_paths))}; do
[ ! -e "$place" ] || printf 'place\t%s\n' "$place"; done"""


def as_foreign(lines: Iterable[str], unit: str, setting: str) -> Iterator[Foreign]:
    """Turn the printed lines into conflicts. None is adoptable: the owner needs the path, or the port, himself.

    + setting: the setting for our port.
    """
    for kind, subject, *port in (line.split("\t") for line in lines):
        if kind == "place":
            description = f"{subject} is there, and nothing says that it is ours."
            yield Foreign(
                unit, description, f"An apply would run {unit} with what it writes there.", f"move {subject} away"
            )
        else:
            description = f"{subject} of the host's owner is set to listen there when the host starts."
            consequence = "Of it and ours only the first to start would run."
            yield Foreign(f"port {port[0]}", description, consequence, f"give ours another: {setting} in group_data")
