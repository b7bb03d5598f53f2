"""What is run on a host to migrate and seed, to move to other keys, and to see whether an instance is ready."""

from __future__ import annotations

import shlex

from deploys.cluster import Cluster
from deploys.paths import PREPARED
from deploys.stack import Stack

# Of the admin only whether there is one: whoever that is may change the password.
_PREPARED_QUERY = """select version_num, (select array_agg(name order by name) from health.roles),
  (select array_agg(slug order by slug) from health.organizations),
  (select array_agg(coalesce(nullif(username, 'admin') || password_hash, username) order by username)
   from health.users where username in ('admin', 'verification')) from health.alembic_version"""

_READY_SCRIPT = """import sys, urllib.request
try: urllib.request.urlopen(sys.argv[1], timeout=5)
except OSError as error: sys.exit(f"{error}: {getattr(error, 'read', bytes)().decode()[:300]}".rstrip(": "))"""


def _as_owner(stack: Stack, version: str, arguments: str) -> str:
    return _run_release(stack, f"{stack.home}/releases/{version}", arguments)


def _run_release(stack: Stack, release: str, arguments: str) -> str:
    """Return shell that runs a release's command; systemd hands it the files with the secrets, as to the service."""
    files = f"-p LoadCredential=env:{stack.home}/.env -p LoadCredential=owner:{stack.home}/.env.owner"
    command = f"{release}/venv/bin/healthv1-api {arguments}"
    identity = f"-p User={stack.user} -p Group={stack.user} -p WorkingDirectory={stack.home}"
    return f"systemd-run --quiet --wait --pipe --collect {identity} {files} {command}"


def prepare(stack: Stack, version: str, cluster: Cluster | None = None) -> str:
    """Return shell that moves the database to `version` and adds the rows that every deployment has.

    Where backups are on, the moment before is named first: `healthv1 restore ENV --to before-VERSION`.
    The first admin's password comes on stdin: it is for the one moment in which there is no admin yet.

    + cluster: where the database is on this host; what was looked at is noted then.
    """
    point = f"migrate run --restore-point {restore_point(version)}"
    migrate = f"{_as_owner(stack, version, point)} </dev/null\n{_as_owner(stack, version, 'seed --admin')}"
    return f"{migrate}\n{{ {_prepared_digest(stack, version, cluster)} || true; }} > {PREPARED}" if cluster else migrate


def restore_point(version: str) -> str:
    """Return the name of the moment before the migrations of a release, to which a backup can be restored."""
    return f"before-{version}"


def _prepared_digest(stack: Stack, version: str, cluster: Cluster) -> str:
    """Return shell that prints a digest of what `seed --check` looks at; nothing when the database says nothing.

    That is the rows, what the release wants of them, and the password of the user who verifies.
    """
    code = f"{stack.home}/releases/{version}/venv/lib/python3*/site-packages/healthv1_api"
    password = f"grep ^VERIFICATION_PASSWORD= {stack.home}/.env.owner"
    rows = cluster.sql(_PREPARED_QUERY, stack.database)
    return (
        f'{{ rows=$({{ {rows}; }} 2>/dev/null) && [ -n "$rows" ] &&'
        f" wanted=$(cat {code}/seed.py {code}/migrations/versions/r*.py) &&"
        f' printf "%s\\n" "$rows" "$wanted" "$({password})" | sha256sum; }}'
    )


def is_prepared(stack: Stack, version: str) -> str:
    """Return a test that succeeds when no migration of `version` is pending and every such row is there."""
    return _as_owner(stack, version, "seed --check --admin")


def is_prepared_or_unknown(stack: Stack, version: str, cluster: Cluster | None = None) -> str:
    """Return the same test, which also succeeds while nothing can be told: the database may be about to start."""
    check = f"code=0; {is_prepared(stack, version)} || code=$?; test $code -ne 3"
    if cluster is None:
        return check
    is_unchanged = f'test "$({_prepared_digest(stack, version, cluster)})" = "$(cat {PREPARED})"'
    return f"{{ test -s {PREPARED} && {is_unchanged}; }} || {{ {check}; }}"


def rewrap(stack: Stack, version: str) -> str:
    """Return shell that wraps the data keys under the active master key."""
    return _as_owner(stack, version, "keys rewrap")


def is_rewrapped(stack: Stack, version: str) -> str:
    """Return a test that succeeds unless a data key is known to be wrapped under another master key than the active."""
    return f"code=0; {_as_owner(stack, version, 'keys check --wrapped')} || code=$?; test $code -ne 3"


def renew_data_keys(stack: Stack) -> str:
    """Return shell that adds a data key and moves every row under it; what a killed run began is only finished."""
    return _run_release(stack, stack.current, "keys renew")


def is_ready(port: int) -> str:
    """Return a test that succeeds when the instance says that it is ready. Python is there; curl may not be."""
    return f"python3 -c {shlex.quote(_READY_SCRIPT)} http://127.0.0.1:{port}/health/ready"
