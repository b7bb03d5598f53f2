"""The names of the lines of a secret file, and a keyed digest of each line. The lines stay on the host."""

from __future__ import annotations

import shlex

from pyinfra.api.facts import FactBase

NAMES = r'[A-Z][A-Z0-9_]*=|"[a-z_][a-z0-9_]*" |user [a-z0-9_-]+ |AUTH [a-z]+ '
"""The start of a line that names it: in an environment file, PgBouncer's userlist, Redis's ACL file."""

_DIGEST = """[ -f "$1" ] && [ ! -L "$1" ] || exit 0
while IFS= read -r line || [ -n "$line" ]; do
  printf '%s ' "$(printf '%s%s\\n' "$2" "$line" | sha256sum | cut -c1-64)"
  printf '%s\\n' "$line" | grep -oE "^($3)" || echo
done < "$1"
"""


class LineDigests(FactBase[list[tuple[str, str]]]):
    """Pairs of a line's name (empty if unknown) and its keyed digest."""

    default = list

    def command(self, path: str, key: str) -> str:
        return f"sh -c {shlex.quote(_DIGEST)} digest {shlex.quote(path)} {key} {shlex.quote(NAMES)} 2>/dev/null || true"

    def process(self, output: list[str]) -> list[tuple[str, str]]:
        pairs = (line.partition(" ") for line in output)
        return [(name.rstrip("= "), digest) for digest, _, name in pairs]
