"""Which files the configuration of a unit names: where a service keeps who may log in, or its data."""

from __future__ import annotations

import shlex

from pyinfra.api.facts import FactBase

# What systemd starts it with names the configuration: a pooler or a Redis of our own has another file than the
# distribution's single one.
_FIND_PATHS = r"""systemctl show -p ExecStart --value -- "$1" 2>/dev/null | tr ' ;' '\n\n' |
grep -E '^/.*\.(ini|conf)$' | sort -u | while read -r file; do
  sed -n "s/^$2[ =][ =]*\(\/[^ ]*\).*/\1/p" "$file"; done"""


class ConfiguredPaths(FactBase[list[str]]):
    """The paths that stand behind `word` in the files that `unit` is started with."""

    default = list

    def command(self, unit: str, option: str) -> str:
        return f"sh -c {shlex.quote(_FIND_PATHS)} named {shlex.quote(unit)} {shlex.quote(option)} 2>/dev/null || true"

    def process(self, output: list[str]) -> list[str]:
        return output
