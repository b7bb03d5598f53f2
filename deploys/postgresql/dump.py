"""A copy of the database leaves its host encrypted: dumped, read through and encrypted in one pipe, on no disk.

The text here is for whoever takes a copy: a person over SSH, or a timer. It is bash, run as postgres.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from deploys.cluster import Cluster

LOCK_WAIT = 60
"""Seconds that a dump waits for a table which a migration holds."""
NO_AGE, NOT_OURS, UNREADABLE = "@no-age", "@not-ours", "@unreadable"
BEGIN, ROWS, SHA256 = "@begin", "@rows", "@sha256"
"""The first words of what it says on stderr; everything else there is a program's own message."""

# The restore of all data, as text: each row is one line of it, so the rows that are really in the archive are counted.
_COUNT = (
    r"""/^\\\.$/ && table { printf "@rows %d %s\n", rows, table; table = ""; next }"""
    r""" table { rows++; next }"""
    r""" /^COPY .* FROM stdin;$/ { table = $0; sub(/^COPY /, "", table); sub(/ \(.*/, "", table);"""
    r""" sub(/ FROM stdin;$/, "", table); rows = 0 }"""
    r""" END { exit table != "" }"""
)


def dump(cluster: Cluster, database: str, recipients: Sequence[str]) -> str:
    """Return bash that writes an age file of the database to stdout. It succeeds only if that file is whole.

    On the way the archive is restored to nowhere. It says on stderr: `@begin`, for each table
    `@rows COUNT TABLE`, and in the end `@sha256` of the age file.
    """
    folder = f"/usr/lib/postgresql/{cluster.version}/bin"
    to = " ".join(f"-r {shlex.quote(recipient)}" for recipient in recipients)
    return f"""set -o pipefail
echo {BEGIN} >&2
ulimit -c 0
cd /
export LC_ALL=C PGAPPNAME=healthv1
command -v age > /dev/null || {{ echo {NO_AGE} >&2; exit 1; }}
{cluster.is_listening} || {{ echo {NOT_OURS} >&2; exit 1; }}
dumped() {{ {folder}/pg_dump -w -Fc --lock-wait-timeout={LOCK_WAIT}s -p {cluster.port} -d {shlex.quote(database)}; }}
read_through() {{
  {folder}/pg_restore -a -f - | awk {shlex.quote(_COUNT)} >&2 || {{ echo {UNREADABLE} >&2; return 1; }}
  cat > /dev/null
}}
exec 5>&1
sum=$({{ {{ dumped | tee /dev/fd/3 | read_through 3>&-; }} 3>&1 | age {to} | tee /dev/fd/4 >&5; }} 4>&1 | sha256sum) &&
  echo "{SHA256} ${{sum%% *}}" >&2
"""


def attended(script: str) -> str:
    """Return bash for `bash -s` whose stdin stays open: when that ends, everything that `script` started ends too.

    A broken connection is noticed otherwise only by whoever writes into it.
    """
    # One compound command: bash has read all of it before it begins, and stdin is ours.
    return f"""{{
exec 7<&0 < /dev/null
set -m
( {script} ) 7<&- & job=$!
{{ cat <&7; kill -- -$job; }} > /dev/null 2>&1 & watch=$!
wait $job; code=$?
kill -- -$watch
exit $code
}}
"""
