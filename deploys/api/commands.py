"""What is run on a host to migrate, to seed, and to see whether an instance is ready."""

from __future__ import annotations

from deploys.stack import Stack


def _as_owner(stack: Stack, version: str, arguments: str) -> str:
    """Return shell that runs the release's command; systemd reads the secrets from their files, as for the service."""
    files = f"-p EnvironmentFile={stack.home}/.env -p EnvironmentFile={stack.home}/.env.owner"
    command = f"{stack.home}/releases/{version}/venv/bin/healthv1-api {arguments}"
    identity = f"-p User={stack.user} -p Group={stack.user} -p WorkingDirectory={stack.home}"
    return f"systemd-run --quiet --wait --pipe --collect {identity} {files} {command}"


def migrate(stack: Stack, version: str) -> str:
    return _as_owner(stack, version, "migrate run")


def migrated(stack: Stack, version: str) -> str:
    """Return a test that succeeds when no migration of `version` is pending."""
    return _as_owner(stack, version, "migrate info --check")


def seed(stack: Stack, version: str) -> str:
    return _as_owner(stack, version, "seed")


def seeded(stack: Stack, version: str) -> str:
    """Return a test that succeeds when every row is there that `seed` would add."""
    return _as_owner(stack, version, "seed --check")


def ready(port: int) -> str:
    """Return a test that succeeds when the instance says that it is ready. Python is there; curl may not be."""
    url = f"http://127.0.0.1:{port}/health/ready"
    return f"python3 -c \"import urllib.request as u; u.urlopen('{url}', timeout=5)\""
