"""Scripts for a host's journal: append one line under flock, or read lines."""

from __future__ import annotations

import shlex

from healthv1.journal.chain import BEGINNING

# The host links the line itself: the last line is certain only under its lock. A line that a full disk cut short is
# removed again.
_APPEND = f"""set -u
umask 077
file=$kept/journal/$environment.jsonl
mkdir -p "$kept/journal" && exec 9>>"$file" && flock -w 10 9 || {{ echo "$file cannot be written" >&2; exit 1; }}
size=$(stat -c %s "$file")
number=0 previous={BEGINNING}
if [ "$size" -gt 0 ]; then
  [ -z "$(tail -c 1 "$file")" ] || echo >&9
  last=$(tail -n 1 "$file")
  number=$(printf '%s\\n' "$last" | sed -n 's/^{{"line":\\([0-9]*\\),.*/\\1/p')
  [ -n "$number" ] || number=$(wc -l < "$file")
  previous=$(printf %s "$last" | sha256sum)
fi
text="{{\\"line\\":$((number + 1)),\\"previous\\":\\"${{previous%% *}}\\",$body"
hash=$(printf %s "$text" | sha256sum)
line="$text,\\"hash\\":\\"${{hash%% *}}\\"}}"
printf '%s\\n' "$line" >&9 || {{ truncate -s "$size" "$file"; exit 1; }}
[ -z "$durable" ] || sync "$file"
printf '%s ' $((number + 1))
printf %s "$line" | sha256sum
"""

# Lines are ASCII: what somebody put there that is not would be hard to read, and breaks the chain in this form too.
_READ = """file=$kept/journal/$environment.jsonl
[ ! -e "$file" ] || tail -n "$last" "$file" | LC_ALL=C tr '\\000\\200-\\377' '?'
"""


def append(kept: str, environment: str, body: str, *, durable: bool) -> str:
    """Return a script for `sh` as root. It prints the number and the digest of the line that it wrote."""
    return _assignments(kept, environment, body=body, durable="yes" if durable else "") + _APPEND


def read(kept: str, environment: str, last: int | None = None) -> str:
    """Return a script that prints the last lines, or all."""
    return _assignments(kept, environment, last="+1" if last is None else str(last)) + _READ


def _assignments(kept: str, environment: str, **values: str) -> str:
    values = {"kept": kept, "environment": environment, **values}
    return " ".join(f"{name}={shlex.quote(value)}" for name, value in values.items()) + "\n"
