"""`healthv1 secrets read-back`: proves that an escrow file opens, before it is needed."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path

from healthv1.commands.secrets import register
from healthv1.errors import Fault, Refused
from healthv1.rollout.losses import bind_secrets_unless_lost
from healthv1.secrets import escrow
from healthv1.secrets.entry import Entry


def read_back(environment: str, file: Path, identity: Path) -> tuple[str, ...]:
    """Open an escrow file, compare it with the backend, and note there that it is good; return the names in it."""
    in_use = bind_secrets_unless_lost(environment)
    data = file.read_bytes()
    exported = escrow.read(data, identity)
    entries = register.entries(in_use, register.secrets_named(in_use, exported.secrets))
    export = f"export it again: healthv1 secrets export {environment} --to KEY --out {shlex.quote(str(file))}"
    Refused.unless(
        Fault(str(file), f"It does not hold the {name} that the backend keeps now.", export)
        for name, entry in entries.items()
        if not exported.holds({name: entry})
    )
    for name, entry in entries.items():
        register.backend_of(in_use).change(name, partial(_noted, read_back_entry=entry, digest=escrow.digest(data)))
    return tuple(entries)


def _noted(current: Entry | None, read_back_entry: Entry, digest: str) -> Entry:
    """Note the digest at the versions that were read back, and at no other: somebody may be rotating."""
    assert current is not None
    return current.escrowed(digest, {kept.number for kept in read_back_entry.versions})
