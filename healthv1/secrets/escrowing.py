"""`healthv1 secrets export`, `read-back` and `restore`: for the day when the backend is lost, and proven before it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from deploys.secret import Secret
from healthv1.engine.bindings import Bound, bound
from healthv1.engine.losses import whole
from healthv1.engine.session import Session
from healthv1.errors import Fault, Refused
from healthv1.interruption import changes_begin
from healthv1.journal.recording import recorded, told
from healthv1.lock.claim import Terms
from healthv1.lock.locking import locked_alone
from healthv1.progress import Progress
from healthv1.replacement import replace
from healthv1.secrets import escrow, register
from healthv1.secrets.entry import Entry


def export(environment: str, recipients: Sequence[str], out: Path, *, everything: bool) -> tuple[str, ...]:
    """Write an escrow file that only `recipients` can open; return the names in it."""
    found = whole(environment)
    entries = _entries(found, [one for one in found.secrets if one.irreplaceable or everything])
    data = escrow.sealed(entries, recipients, str(register.kept_by(found)))
    try:
        changes_begin()
        out.parent.mkdir(parents=True, exist_ok=True)
        replace(out, data.decode())
    except OSError as error:
        raise Refused(Fault(str(out), f"It cannot be written ({error.strerror}).", "choose another place")) from None
    return tuple(entries)


def read_back(environment: str, file: Path, identity: Path) -> tuple[str, ...]:
    """Open an escrow file, compare it with the backend, and note there that it is good; return the names in it."""
    found = whole(environment)
    data = file.read_bytes()
    exported = escrow.opened(data, identity)
    entries = _entries(found, register.found(found, exported.secrets))
    export = f"export it again: healthv1 secrets export {environment} --to KEY --out {shlex.quote(str(file))}"
    Refused.unless(
        Fault(str(file), f"It does not hold the {name} that the backend keeps now.", export)
        for name, entry in entries.items()
        if not exported.holds({name: entry})
    )
    for name, entry in entries.items():
        register.kept_by(found).change(name, partial(_noted, seen=entry, digest=escrow.digest(data)))
    return tuple(entries)


def _noted(found: Entry | None, seen: Entry, digest: str) -> Entry:
    """Note the digest at the versions that were seen, and at no other: somebody may be rotating."""
    assert found is not None
    return found.escrowed(digest, {kept.number for kept in seen.versions})


def restore(environment: str, file: Path, identity: Path) -> tuple[str, ...]:
    """Bring back from an escrow file what the backend lost; return the names. What is there is never overwritten."""
    found = bound(environment)
    data = file.read_bytes()
    exported = escrow.opened(data, identity)
    # On the day of a disaster there may be no host: those that can be reached are locked.
    note, command = Progress().note, "secrets restore"
    with (
        locked_alone(environment, command, Terms(), note, needed=False) as session,
        recorded(session, command, note, needed=False) as run,
    ):
        names = _restored(found, exported, escrow.digest(data), session)
        run.made([told("restore", name) for name in names], ())
        return names


def _restored(found: Bound, exported: escrow.Escrow, digest: str, session: Session) -> tuple[str, ...]:
    backend = register.kept_by(found)
    lost = [one.key for one in register.found(found, exported.secrets) if backend.entry(one.key) is None]
    for name in lost:
        session.go_on()  # without the lock somebody else may be at it
        entry = exported.secrets[name]
        entry = entry.escrowed(digest, {kept.number for kept in entry.versions})
        backend.change(name, partial(_brought_back, entry=entry))
    return tuple(lost)


def _brought_back(found: Entry | None, entry: Entry) -> Entry:
    return found or entry


def _entries(found: Bound, secrets: Sequence[Secret]) -> dict[str, Entry]:
    entries = register.kept_by(found).entries(secret.key for secret in secrets)
    Refused.unless(
        Fault(
            f"{register.kept_by(found)}#{name}", "It is not in the backend yet.", f"healthv1 secrets init {found.name}"
        )
        for name, entry in entries.items()
        if entry is None
    )
    return {name: entry for name, entry in entries.items() if entry}
