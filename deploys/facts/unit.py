"""The state of a systemd unit, and whether it runs with the configuration on disk."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyinfra.api.command import StringCommand
from pyinfra.api.facts import FactBase

from deploys.facts.each import BatchedCommand
from deploys.facts.path import DESCRIBE_PATHS
from deploys.paths import STAMPS

# The modification time counts too: after an edit, a manual reload and a revert, the file has its old content, but the
# unit runs with the edit.
_STATE = rf"""{DESCRIBE_PATHS}
state() {{ for p; do [ -e "$p" ] || [ -L "$p" ] || printf "%s\tabsent\n" "$p"; done; seen %.Y "$@"; }}"""
_PROPERTIES = ("LoadState", "UnitFileState", "ActiveState", "NeedDaemonReload")
# Waits up to 5 s for units that are starting or stopping: after a reboot they would be reported as not running.
_SETTLE = r"""settled() { i=0; while told=$(systemctl show "$@" 2>/dev/null); [ $i -lt 25 ]; do i=$((i+1))
  case $told in *ActiveState=activating* | *ActiveState=deactivating*) sleep 0.2;; *) break;; esac; done
printf '%s\n' "$told"; }"""
# systemctl prints units in the given order, with an empty line in between.
_PREFIX_NAMES = r"""units="$*" awk 'BEGIN { split(ENVIRON["units"], unit, " "); i = 1 }
$0 == "" { i++; next } { print unit[i] "\t" $0 }'"""
# Reads the watched paths (unit, effect, stamp, path), an empty line, and their current state. Prints changes to the
# stamp.
_CHANGED = r"""awk -F '\t' '!there && $0 == "" { there = 1; next }
!there { watched[$4] = watched[$4] $1 "\t" $2 "\t" $3 "\n"
  if (!($3 in stamps)) { stamps[$3]; while ((getline line < $3) > 0) kept[$3, line] }
  next }
{ n = split(watched[$1], watches, "\n")
  for (i = 1; i < n; i++) {
    split(watches[i], one, "\t"); if (!((one[3], $0) in kept)) print one[1] "\t" one[2] "=" $1 } }'"""


@dataclass(frozen=True)
class Unit:
    state: str = "inactive"
    """systemd's ActiveState: active, inactive, failed, activating …"""
    enabled: bool = False
    masked: bool = False
    """Masked by hand: nothing can start it."""
    stale_definition: bool = False
    """The unit file changed since the last daemon-reload."""
    restart_on: tuple[str, ...] = ()
    """Paths that changed on disk since the unit was last started."""
    reload_on: tuple[str, ...] = ()

    @property
    def active(self) -> bool:
        """Whether it is up, also during a reload."""
        return self.state in {"active", "reloading", "refreshing"}


def state_script(unit: str, effect: str, paths: Sequence[str]) -> str:
    """Return shell that sets `stamp` to the unit's stamp file, and `now` to the current state of `paths`."""
    return f"{_STATE}\nstamp={shlex.quote(_stamp(unit, effect))} now=$(state {_quoted(paths)})"


def _stamp(unit: str, effect: str) -> str:
    return f"{STAMPS}/{unit}.{effect}"


def _quoted(words: Iterable[str]) -> str:
    return " ".join(map(shlex.quote, words))


class UnitCommand(BatchedCommand):
    def __init__(self, unit: str, restart_on: Sequence[str], reload_on: Sequence[str]) -> None:
        self.watched_paths = [("restart", path) for path in restart_on] + [("reload", path) for path in reload_on]
        super().__init__(unit)

    @classmethod
    def batch(cls, commands: Sequence[UnitCommand]) -> str:
        show = " ".join(f"-p {name}" for name in _PROPERTIES)
        units = _quoted(command.subject for command in commands)
        show_units = f'{_SETTLE}\nset -- {units}; settled {show} -- "$@" | {_PREFIX_NAMES}'
        watched = [
            "\t".join((command.subject, effect, _stamp(command.subject, effect), path))
            for command in commands
            for effect, path in command.watched_paths
        ]
        if not watched:
            return show_units
        paths = sorted(
            {path for command in commands for _, path in command.watched_paths}
        )  # a fixed order, whatever the batch
        print_watched = f"printf '%s\\n' {_quoted(watched)} ''"
        return f"{show_units}\n{_STATE}\n{{ {print_watched}; state {_quoted(paths)}; }} | {_CHANGED}"


class UnitState(FactBase[Unit]):
    """A `Unit`; the default if it does not exist."""

    default = Unit

    def command(self, unit: str, restart_on: Sequence[str], reload_on: Sequence[str]) -> StringCommand:
        return UnitCommand(unit, restart_on, reload_on)

    def process(self, output: list[str]) -> Unit:
        lines = (line.partition("\t")[2] for line in output)
        pairs = [(name, value) for name, _, value in (line.partition("=") for line in dict.fromkeys(lines))]
        values = dict(pairs)
        return Unit(
            state=values.get("ActiveState") or "inactive",
            enabled=values.get("UnitFileState") in {"enabled", "enabled-runtime", "static", "indirect", "generated"},
            masked="masked" in (values.get("LoadState"), values.get("UnitFileState")),
            stale_definition=values.get("NeedDaemonReload") == "yes",
            restart_on=tuple(path for effect, path in pairs if effect == "restart"),
            reload_on=tuple(path for effect, path in pairs if effect == "reload"),
        )
