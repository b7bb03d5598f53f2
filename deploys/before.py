"""Back up the owner's files before they are replaced or removed. `healthv1 before` lists the backups.

A backup is a folder only root can read: `entry` (subject, time, paths), `files/` with copies of the paths, and
`put-back`, shell that runs after the files are restored.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from deploys.paths import BEFORE

# $1 the subject, $2 shell that restores everything but files, then the existing paths. An identical backup is kept as
# it is: a killed run is repeated. The backup is synced to disk before the original is replaced.
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
    """Return shell that backs up those of `paths` that exist. It fails if the copy is incomplete.

    + thing: the name in `Foreign.thing`.
    + put_back: shell that root runs after the files are restored, such as a reload of the service.
    """
    quoted_paths = " ".join(shlex.quote(path) for path in paths)
    return (
        f"{_KEEP_ASIDE}\n(set --; for path in {quoted_paths}; do"
        ' if [ -e "$path" ] || [ -L "$path" ]; then set -- "$@" "$path"; fi; done\n'
        f'keep_aside {shlex.quote(thing)} {shlex.quote(put_back)} "$@")'
    )
