"""Which values of a file that holds secrets differ, by name: no value leaves the host, nor a digest without a key."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Iterator

from pyinfra.context import host

from deploys.facts.lines import NAMES, LineDigests

_KEY = secrets.token_hex(16)
"""Of this process alone: a digest says whether two values are the same now, and nothing later."""
_ROTATES = re.compile(r"[A-Z_]*(SECRET|KEY|PASSWORD|DSN)(_ALSO_ACCEPTED)?|\"[a-z_]+\"|AUTH [a-z]+")


def differing_values(path: str, target: str) -> str:
    """Return the names of the values that the host has otherwise than `target`: "JWT_SECRET rotated"."""
    digests: list[tuple[str, str]] = host.get_fact(LineDigests, path=path, key=_KEY)
    host_digests = dict(digests)
    target_digests = dict(_digests(target.rstrip("\n").split("\n")))
    return ", ".join(_differences(host_digests, target_digests)) or "order or comments"


def _digests(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        match = re.match(NAMES, line)
        yield match[0].rstrip("= ") if match else "", hashlib.sha256(f"{_KEY}{line}\n".encode()).hexdigest()


def _differences(host_digests: dict[str, str], target_digests: dict[str, str]) -> Iterator[str]:
    for name in (name for name in target_digests if name):
        if name not in host_digests:
            yield f"{name} added"
        elif host_digests[name] != target_digests[name]:
            yield f"{name} {'rotated' if _ROTATES.fullmatch(name) else 'changed'}"
    yield from (f"{name} removed" for name in host_digests if name and name not in target_digests)
    if host_digests.get("") != target_digests.get(""):
        yield "lines without a name"
