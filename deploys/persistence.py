"""Switch the append-only file of a running Redis on or off, without a restart and without losing data."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from deploys.facts.persistence import Persistence, is_writing
from deploys.facts.unit import state_script
from deploys.paths import REDIS_ACCEPTED, REDIS_LOGIN
from deploys.redis_server import USERS, RedisServer

# No ACL user may run CONFIG. This adds a temporary user with a random password who may run CONFIG SET only, and removes
# him on exit. After a kill the ACL file still has him: the next apply writes and reloads it.
# Commands and passwords go through pipes: arguments are visible. The port comes from the running process: the
# configured one may be about to change.
_ACL_FUNCTIONS = r"""set -eu; umask 077
port=$(ss -Hltnp | sed -n "s/^[A-Z]* *[0-9]* *[0-9]* *[^ ]*:\([0-9]*\) .*pid=$(systemctl show -p MainPID --value \
  -- "$unit"),.*/\1/p" | head -n 1)
say() { timeout 60 redis-cli -p "$port" | tr -d '\r'; }
probe() { for file in "$accepted" "$login"; do said=$({ cat -- "$file"; printf '%s\n' "$1"; } 2>/dev/null | say)
  case $said in OK?*) printf '%s\n' "$said" | sed 1d; return;; esac; done
  echo "Redis does not let the probe in; apply with redis.persist as it was, which mends that" >&2; return 1; }
put() { new=$(mktemp -- "$users.XXXXXXXX") && cp -p -- "$1" "$new" && mv -fT -- "$new" "$users" &&
  [ "$(probe 'ACL LOAD')" = OK ]; }
switch() ( kept=/run/health-v1-switch; rm -rf -- "$kept"; mkdir -- "$kept"
  trap 'code=$?; put "$kept/users" || code=1; rm -rf -- "$kept"; exit $code' EXIT; trap 'exit 1' HUP INT TERM PIPE
  cp -p -- "$users" "$kept/users"; cp -p -- "$users" "$kept/more"
  word=$(head -c 32 /dev/urandom | sha256sum | cut -c1-64)
  printf 'user health-v1-switch reset on #%s -@all +config|set\n' "$(printf %s "$word" | sha256sum | cut -c1-64)" \
    >> "$kept/more"
  put "$kept/more"
  said=$(printf 'AUTH health-v1-switch %s\nCONFIG SET appendonly %s\n' "$word" "$1" | say)
  case $said in "OK
OK") ;; *) printf '%s\n' "$said" | grep -vx OK >&2; exit 1;; esac )"""

# A child process rewrites the whole data set; new writes are appended meanwhile.
_AWAIT_REWRITE = r"""asked() { probe 'INFO persistence' | sort | sed -n -e 's/^aof_last_bgrewrite_status:/rewrite=/p' \
  -e 's/^aof_rewrite_\(in_progress\|scheduled\):/\1=/p' | paste -sd ' '; }
i=0; until state=$(asked); [ "$state" = 'rewrite=ok in_progress=0 scheduled=0' ] && writes; do i=$((i+1)); sleep 0.5
  case $state in 'rewrite=err in_progress=0 scheduled=0') why="the disk does not take it";;
  *) [ $i -gt 1200 ] || continue; why="it takes longer than 10 minutes";; esac
  switch no || true; echo "Redis could not write what it holds to disk: $why. It has lost nothing" >&2; exit 1; done"""


@dataclass(frozen=True)
class Switch:
    """The steps from the current persistence to the wanted one."""

    switch_process: bool
    """The running process has to be switched."""
    delete_log: bool
    """An unused append-only file is on disk: reloading it would bring back expired keys."""
    note_configuration: bool
    """The configuration it started with differs from ours only in persistence: record ours in the stamp."""

    is_running: bool

    @classmethod
    def to(cls, persist: bool, state: Persistence, other_digest: str) -> Switch:
        """Return the due steps.

        + other_digest: the SHA-256 of our configuration with the other choice of persistence.
        """
        runs = state.is_writing is not None
        switch_process, note_configuration = (
            runs and state.is_writing != persist,
            runs and state.started_with == other_digest,
        )
        return cls(switch_process, not persist and state.log_exists, note_configuration, runs)


def script(server: RedisServer, persist: bool, steps: Switch) -> str:
    """Return shell for these steps. If it is killed, running it again completes it."""
    variables = {"unit": server.unit, "users": USERS, "login": REDIS_LOGIN, "accepted": REDIS_ACCEPTED}
    lines = [*(f"{name}={shlex.quote(value)}" for name, value in variables.items()), _ACL_FUNCTIONS]
    if steps.switch_process:
        lines.append(f"writes() {{ {is_writing(server)}; }}\nswitch {'yes' if persist else 'no'}")
        lines += [_AWAIT_REWRITE] * persist
    if steps.delete_log:
        lines.append(f"rm -rf -- {shlex.join(server.data_paths)}")
    return "\n".join([*lines, _note_configuration(server)] if steps.note_configuration else lines)


def _note_configuration(server: RedisServer) -> str:
    """Return shell that records the current configuration file in the unit's stamp."""
    path = server.configuration
    other_lines = f"""awk -F '\\t' '$1 != "{path}"' "$stamp\""""
    return (
        f"{state_script(server.unit, 'restart', (path,))}\n"
        f'{{ {other_lines}; printf "%s\\n" "$now"; }} > "$stamp.new"; mv -fT -- "$stamp.new" "$stamp"'
    )
