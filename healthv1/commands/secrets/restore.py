"""`healthv1 secrets restore`: brings lost secrets back from an escrow file."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from healthv1.commands.secrets import register
from healthv1.hosts.secrets_in_use import SecretsInUse, bind_secrets
from healthv1.hosts.session import Session
from healthv1.journal.recording import recorded, secret_step
from healthv1.lock.holder import Terms
from healthv1.lock.locking import locked_session
from healthv1.rollout.progress import Progress
from healthv1.secrets import escrow
from healthv1.secrets.entry import Entry


def restore(environment: str, file: Path, identity: Path) -> tuple[str, ...]:
    """Bring back from an escrow file what the backend lost; return the names. What is there is never overwritten."""
    in_use = bind_secrets(environment)
    data = file.read_bytes()
    exported = escrow.read(data, identity)
    # On the day of a disaster there may be no host: those that can be reached are locked.
    note, command = Progress().note, "secrets restore"
    with (
        locked_session(environment, command, Terms(), note, needed=False) as session,
        recorded(session, command, note, needed=False) as run,
    ):
        names = _restored(in_use, exported, escrow.digest(data), session)
        run.end_with([secret_step("restore", name) for name in names], ())
        return names


def _restored(in_use: SecretsInUse, exported: escrow.Escrow, digest: str, session: Session) -> tuple[str, ...]:
    backend = register.backend_of(in_use)
    lost = [
        secret.key for secret in register.secrets_named(in_use, exported.secrets) if backend.entry(secret.key) is None
    ]
    for name in lost:
        session.check_lock()  # without the lock somebody else may be at it
        entry = exported.secrets[name]
        entry = entry.escrowed(digest, {kept.number for kept in entry.versions})
        backend.change(name, partial(_brought_back, entry=entry))
    return tuple(lost)


def _brought_back(current: Entry | None, entry: Entry) -> Entry:
    return current or entry
