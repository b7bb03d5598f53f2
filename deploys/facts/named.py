"""Paths in the configuration of a unit: its password file, its data directory."""

from __future__ import annotations

import shlex

from pyinfra.api.facts import FactBase

# ExecStart names the configuration file: our PgBouncer and Redis have another one than the packaged unit.
_FIND_PATHS = r"""systemctl show -p ExecStart --value -- "$1" 2>/dev/null | tr ' ;' '\n\n' |
grep -E '^/.*\.(ini|conf)$' | sort -u | while read -r file; do
  sed -n "s/^$2[ =][ =]*\(\/[^ ]*\).*/\1/p" "$file"; done"""


class ConfiguredPaths(FactBase[list[str]]):
    """The paths of `option` in the configuration files of `unit`."""

    default = list

    def command(self, unit: str, option: str) -> str:
        return f"sh -c {shlex.quote(_FIND_PATHS)} named {shlex.quote(unit)} {shlex.quote(option)} 2>/dev/null || true"

    def process(self, output: list[str]) -> list[str]:
        return output
