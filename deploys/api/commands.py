"""What is run on a host to migrate and seed, to move to other keys, and to see whether an instance is ready."""

from __future__ import annotations

from deploys.stack import Stack


def _as_owner(stack: Stack, version: str, arguments: str) -> str:
    return _with_its_files(stack, f"{stack.home}/releases/{version}", arguments)


def _with_its_files(stack: Stack, release: str, arguments: str) -> str:
    """Return shell that runs a release's command; systemd hands it the files with the secrets, as to the service."""
    files = f"-p LoadCredential=env:{stack.home}/.env -p LoadCredential=owner:{stack.home}/.env.owner"
    command = f"{release}/venv/bin/healthv1-api {arguments}"
    identity = f"-p User={stack.user} -p Group={stack.user} -p WorkingDirectory={stack.home}"
    return f"systemd-run --quiet --wait --pipe --collect {identity} {files} {command}"


def prepare(stack: Stack, version: str) -> str:
    """Return shell that moves the database to `version` and adds the rows that every deployment has."""
    return f"{_as_owner(stack, version, 'migrate run')}\n{_as_owner(stack, version, 'seed')}"


def prepared(stack: Stack, version: str) -> str:
    """Return a test that succeeds when no migration of `version` is pending and every such row is there."""
    return _as_owner(stack, version, "seed --check")


def nothing_due(stack: Stack, version: str) -> str:
    """Return the same test, which also succeeds while nothing can be told: the database may be about to start."""
    return f"code=0; {prepared(stack, version)} || code=$?; test $code -ne 3"


def rewrap(stack: Stack, version: str) -> str:
    """Return shell that wraps the data keys under the active master key."""
    return _as_owner(stack, version, "keys rewrap")


def nothing_to_rewrap(stack: Stack, version: str) -> str:
    """Return a test that succeeds unless a data key is known to be wrapped under another master key than the active."""
    return f"code=0; {_as_owner(stack, version, 'keys check --wrapped')} || code=$?; test $code -ne 3"


def renew_data_keys(stack: Stack) -> str:
    """Return shell that adds a data key and moves every row under it; what a killed run began is only finished."""
    return _with_its_files(stack, stack.current, "keys renew")


def ready(port: int) -> str:
    """Return a test that succeeds when the instance says that it is ready. Python is there; curl may not be."""
    url = f"http://127.0.0.1:{port}/health/ready"
    return f"python3 -c \"import urllib.request as u; u.urlopen('{url}', timeout=5)\""
