"""What a host had before us is copied aside before it is replaced or removed: `healthv1 before` lists it.

An entry is a folder of root's alone: `entry` (what it is, when, which paths), `files/` with the paths below it as they
were, and `put-back`, shell that is run once the files lie in their places again.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from deploys.paths import BEFORE

# $1 the thing, $2 shell that puts back what is no file, then the paths that are there. What lies there already is not
# copied again: a run that died after the copy is repeated. The copy is on the disk before anything is replaced.
_KEEP_ASIDE = f"""keep_aside() (
set -eu; umask 077; thing=$1 after=$2; shift 2; mkdir -p {BEFORE}
digest=$({{ printf '%s\\n' "$thing" "$after" "$@"; tar -cPf - -- "$@"; }} | sha256sum | cut -c1-12)
for entry in {BEFORE}/*-"$digest"; do [ ! -d "$entry" ] || exit 0; done
new=$(mktemp -d {BEFORE}/.new.XXXXXXXX); trap 'rm -rf -- "$new"' EXIT; trap 'exit 1' HUP INT TERM
mkdir "$new/files"
if [ $# != 0 ]; then # without a leading slash, so that it lies below files/
  tar --acls --xattrs -cf "$new/tar" --transform 'flags=rhS;s#^/##' -P -- "$@"
  tar --acls --xattrs -xpf "$new/tar" -C "$new/files"; rm -- "$new/tar"; fi
{{ printf 'thing=%s\\nat=%s\\n' "$thing" "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
[ $# = 0 ] || printf 'path=%s\\n' "$@"; }} > "$new/entry"
printf '%s\\n' "$after" > "$new/put-back"
sync -f "$new"; mv -T -- "$new" {BEFORE}/"$(date -u +%Y%m%dT%H%M%SZ)-$digest"; sync -f {BEFORE}
)"""


def keep_aside(thing: str, paths: Iterable[str], put_back: str = ":") -> str:
    """Return shell that copies `paths`, those of them that are there, aside. It fails where the copy is not whole.

    + thing: as a `Foreign` names it.
    + put_back: shell that is run, as root, after the files were put back: a service that has to take them up.
    """
    quoted_paths = " ".join(shlex.quote(path) for path in paths)
    return (
        f"{_KEEP_ASIDE}\n(set --; for path in {quoted_paths}; do"
        ' if [ -e "$path" ] || [ -L "$path" ]; then set -- "$@" "$path"; fi; done\n'
        f'keep_aside {shlex.quote(thing)} {shlex.quote(put_back)} "$@")'
    )
