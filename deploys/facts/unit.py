"""The state of a systemd unit, and whether it runs with the configuration that is on disk."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from pyinfra.api.facts import FactBase

from deploys.facts.path import SEEN
from deploys.stamps import APPLIED

# The time of the last modification counts: a file that was edited, taken up by hand and then put back is not what
# the unit runs with, though its content is what it was at the last apply.
_STATE = rf"""{SEEN}
state() {{ for p; do [ -e "$p" ] || [ -L "$p" ] || printf "%s\tabsent\n" "$p"; done; seen %.Y "$@"; }}"""
# Prints the paths of which a line is not in the stamp.
_CHANGED = """| {{ kept=$(cat "$stamp" 2>/dev/null); while IFS= read -r line; do case "
$kept
" in *"
$line
"*) ;; *) echo "{effect}=${{line%%\t*}}";; esac; done; }}"""


@dataclass(frozen=True)
class Unit:
    state: str = "inactive"
    """As systemd names it: active, inactive, failed, activating …"""
    enabled: bool = False
    masked: bool = False
    """It was hidden from systemd by hand: nothing can start it."""
    stale_definition: bool = False
    """The unit file changed since systemd last read it."""
    restart_on: tuple[str, ...] = ()
    """What is on disk otherwise than when the unit was last started."""
    reload_on: tuple[str, ...] = ()

    @property
    def active(self) -> bool:
        return self.state == "active"


def state_script(unit: str, effect: str, paths: Sequence[str]) -> str:
    """Return shell that sets `stamp` to the file that keeps what the unit runs with, and `now` to what is on disk."""
    quoted = " ".join(shlex.quote(path) for path in paths)
    return f"{_STATE}\nstamp={shlex.quote(f'{APPLIED}/{unit}.{effect}')} now=$(state {quoted})"


class UnitState(FactBase[Unit]):
    """A `Unit`; of one that does not exist, the default."""

    default = Unit

    def command(self, unit: str, restart_on: Sequence[str], reload_on: Sequence[str]) -> str:
        show = " ".join(f"-p {name}" for name in ("LoadState", "UnitFileState", "ActiveState", "NeedDaemonReload"))
        changed = "\n".join(
            f'{state_script(unit, effect, paths)}\necho "$now" {_CHANGED.format(effect=effect)}'
            for effect, paths in (("restart", restart_on), ("reload", reload_on))
            if paths
        )
        return f"systemctl show {show} -- {shlex.quote(unit)} 2>/dev/null || true\n{changed}\ntrue"

    def process(self, output: list[str]) -> Unit:
        pairs = [(name, value) for name, _, value in (line.partition("=") for line in dict.fromkeys(output))]
        found = dict(pairs)
        return Unit(
            state=found.get("ActiveState") or "inactive",
            enabled=found.get("UnitFileState") in {"enabled", "enabled-runtime", "static", "indirect", "generated"},
            masked="masked" in (found.get("LoadState"), found.get("UnitFileState")),
            stale_definition=found.get("NeedDaemonReload") == "yes",
            restart_on=tuple(path for effect, path in pairs if effect == "restart"),
            reload_on=tuple(path for effect, path in pairs if effect == "reload"),
        )
