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


def what_differs(path: str, wanted: str) -> str:
    """Return the names of the values that the host has otherwise than `wanted`: "JWT_SECRET rotated"."""
    lines: list[tuple[str, str]] = host.get_fact(LineDigests, path=path, key=_KEY)
    there = dict(lines)
    here = dict(_digests(wanted.rstrip("\n").split("\n")))
    return ", ".join(_differences(there, here)) or "order or comments"


def _digests(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        found = re.match(NAMES, line)
        yield found[0].rstrip("= ") if found else "", hashlib.sha256(f"{_KEY}{line}\n".encode()).hexdigest()


def _differences(there: dict[str, str], here: dict[str, str]) -> Iterator[str]:
    for name in (name for name in here if name):
        if name not in there:
            yield f"{name} added"
        elif there[name] != here[name]:
            yield f"{name} {'rotated' if _ROTATES.fullmatch(name) else 'changed'}"
    yield from (f"{name} removed" for name in there if name and name not in here)
    if there.get("") != here.get(""):
        yield "lines without a name"
