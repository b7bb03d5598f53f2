"""Scripts for the entries that a host keeps aside. No file's content is ever printed."""

from __future__ import annotations

import shlex

from deploys.before import keep_aside
from deploys.paths import BEFORE
from healthv1.before.entries import KeptAside

OLD = 1440
"""Minutes after which a half-made entry of a killed run is removed."""

# A folder that is being made has a leading dot, and is not listed.
_TELL = """tell() {
  printf 'id=%s\\nsize=%s\\n' "$1" "$(du -sb --apparent-size -- "$1/files" | cut -f1)"
  [ ! -e "$1/putting-back" ] || echo begun=yes
  grep -E '^(thing|at|path)=' "$1/entry"; }"""

_LIST = f"""cd {BEFORE} 2>/dev/null || exit 0
{_TELL}
find . -mindepth 1 -maxdepth 1 -name '.new.*' -mmin +{OLD} -exec rm -rf -- {{}} +
for entry in *; do if [ -f "$entry/entry" ] && [ -d "$entry/files" ]; then tell "$entry"; fi; done"""

# Two paths are the same if tar writes the same: content, kind, mode, owner, attributes and modification time.
_SAME = """written() { tar --sort=name --acls --xattrs --format=posix \\
  --pax-option=exthdr.name=%d/%f,delete=atime,delete=ctime -C "$1" -cf - -- "${2#/}" 2>/dev/null | sha256sum; }
state() {
  if [ ! -e "$2" ] && [ ! -L "$2" ]; then echo missing
  elif [ "$(written "$1/files" "$2")" = "$(written / "$2")" ]; then echo same
  else echo different; fi; }"""

# Beside its place first, then by a rename: whoever looks finds the one or the other. What is no file has to make room
# before; it was kept aside. The name is always the same, so that a second run sweeps what a killed one left.
_PUT = """put() {
  place=$(dirname -- "$2") name=$(basename -- "$2")
  mkdir -p -- "$place"; beside=$place/.healthv1-before-$name
  rm -rf -- "$beside"; mkdir -m 0700 -- "$beside"
  cp -a -- "$1/files$2" "$beside/new"; sync -f "$beside"
  if { [ -d "$2" ] && [ ! -L "$2" ]; } || { [ -d "$beside/new" ] && [ ! -L "$beside/new" ]; }; then
    if [ -e "$2" ] || [ -L "$2" ]; then mv -T -- "$2" "$beside/old"; fi; fi
  mv -fT -- "$beside/new" "$2"; sync -f "$place"; rm -rf -- "$beside"; }"""


def list_entries() -> str:
    """Return a script that lists all entries, and removes old half-made ones."""
    return _LIST


def inspect_entry(name: str) -> str:
    """Return a script that prints one entry, and the present state of its paths."""
    return f"""cd {BEFORE} || exit 1
entry={shlex.quote(name)}
{_TELL}
{_SAME}
tell "$entry"
sed -n 's/^path=//p' "$entry/entry" | while IFS= read -r path; do echo "state=$(state "$entry" "$path")"; done
sed 's/^/then=/' "$entry/put-back\""""


def put_back(entry: KeptAside) -> str:
    """Return a script that puts back what is due. What lies there now is kept aside first, so that it can be undone.

    It notes that it began, so that another run ends it, and takes the note away at the end.
    """
    due = " ".join(map(shlex.quote, entry.due))
    thing = f"{entry.thing}, ahead of putting back {entry.id}"
    return f"""set -eu
entry={BEFORE}/{shlex.quote(entry.id)}
{_PUT}
{keep_aside(thing, entry.due, _undo(entry)) if due else ":"}
touch "$entry/putting-back"; sync -f "$entry"
for path in {due}; do put "$entry" "$path"; done
sh "$entry/put-back" </dev/null >&2
rm -f -- "$entry/putting-back"
"""


# A file that was put where none was is removed again, unless it was changed since.
_TAKE_AWAY = """take_away() {
  if [ -L "$1" ]; then [ "$(readlink -- "$1")" = "$(readlink -- "$2")" ] || return 0
  else cmp -s -- "$1" "$2" || return 0; fi
  rm -f -- "$1"; }"""


def _undo(entry: KeptAside) -> str:
    """Return the shell that belongs to what is kept aside now: the same, once what came is gone again."""
    missing = [path for path, state in zip(entry.paths, entry.states, strict=True) if state == "missing"]
    kept = f"{BEFORE}/{entry.id}/files"
    lines = [f"take_away {shlex.quote(path)} {shlex.quote(kept + path)}" for path in missing]
    return "\n".join([*([_TAKE_AWAY] if lines else []), *lines, entry.then])
