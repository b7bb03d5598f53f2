"""The state of a systemd unit, and whether it runs with the configuration that is on disk."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from pyinfra.api.facts import FactBase

APPLIED = "/var/lib/health-v1/applied"
"""One stamp per unit and effect: the digest of the configuration that the unit was last started or reloaded with."""

# The time of the last modification counts: a file that was edited, taken up by hand and then put back is not what
# the unit runs with, though its content is what it was at the last apply.
_DIGEST = """digest() { for p; do printf '%s ' "$p"; stat -c %.Y -- "$p" 2>/dev/null || true
if [ -L "$p" ]; then readlink "$p"; elif [ -f "$p" ]; then sha256sum < "$p"; else echo absent; fi
done | sha256sum | cut -c1-64; }"""


@dataclass(frozen=True)
class Unit:
    loaded: bool = False
    enabled: bool = False
    active: bool = False
    stale_definition: bool = False
    """The unit file changed since systemd last read it."""
    restart_needed: bool = False
    """What is on disk is not what the unit was last started with."""
    reload_needed: bool = False


def digest_script(unit: str, effect: str, paths: Sequence[str]) -> str:
    """Return shell that sets `now` to the digest of `paths` and `stamp` to the file that keeps the last one."""
    quoted = " ".join(shlex.quote(path) for path in paths)
    return f"{_DIGEST}\nnow=$(digest {quoted}) stamp={shlex.quote(f'{APPLIED}/{unit}.{effect}')}"


class UnitState(FactBase[Unit]):
    """A `Unit`; of one that does not exist, the default."""

    default = Unit

    def command(self, unit: str, restart_on: Sequence[str], reload_on: Sequence[str]) -> str:
        names = ("LoadState", "UnitFileState", "ActiveState", "NeedDaemonReload")
        show = " ".join(f"-p {name}" for name in names)
        stamps = "\n".join(
            f'{digest_script(unit, effect, paths)}\n[ "$now" = "$(cat "$stamp" 2>/dev/null)" ] || echo {effect}=yes'
            for effect, paths in (("restart", restart_on), ("reload", reload_on))
            if paths
        )
        return f"systemctl show {show} -- {shlex.quote(unit)} 2>/dev/null || true\n{stamps}\ntrue"

    def process(self, output: list[str]) -> Unit:
        found = dict(line.split("=", 1) for line in output if "=" in line)
        return Unit(
            loaded=found.get("LoadState") == "loaded",
            enabled=found.get("UnitFileState") in {"enabled", "enabled-runtime", "static", "indirect", "generated"},
            active=found.get("ActiveState") == "active",
            stale_definition=found.get("NeedDaemonReload") == "yes",
            restart_needed="restart" in found,
            reload_needed="reload" in found,
        )
