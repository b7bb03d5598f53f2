"""`healthv1 secrets export`: an escrow file, for the day when the backend is lost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from healthv1.commands.secrets import register
from healthv1.errors import Fault, Refused
from healthv1.rollout.losses import bind_secrets_unless_lost
from healthv1.secrets import escrow
from healthv1.signals import changes_begin
from healthv1.workspace.atomic_files import replace


def export(environment: str, recipients: Sequence[str], out: Path, *, everything: bool) -> tuple[str, ...]:
    """Write an escrow file that only `recipients` can open; return the names in it."""
    in_use = bind_secrets_unless_lost(environment)
    entries = register.entries(in_use, [secret for secret in in_use.secrets if secret.belongs_in_escrow or everything])
    data = escrow.export(entries, recipients, str(register.backend_of(in_use)))
    try:
        changes_begin()
        out.parent.mkdir(parents=True, exist_ok=True)
        replace(out, data.decode())
    except OSError as error:
        raise Refused(Fault(str(out), f"It cannot be written ({error.strerror}).", "choose another place")) from None
    return tuple(entries)
