"""Secrets exported for the day when the backend is lost: one age file, to the public keys of those who keep it.

It is an ordinary age file: `age -d -i KEY FILE` prints its JSON, which is described in docs/secrets.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from typing_extensions import Self

from healthv1.errors import Fault, SecretsError
from healthv1.output.redaction import redactor
from healthv1.secrets import age
from healthv1.secrets.entry import Entry, KeptVersion, now

FORMAT = "healthv1 escrow 1"


@dataclass(frozen=True)
class Escrow:
    """What an escrow file holds."""

    reference: str
    """The backend that it was exported from: vault:health-v1/production."""
    created: datetime
    secrets: Mapping[str, Entry]
    """What was kept, by the secret's name: every version, and the one that was active."""

    def holds(self, entries: Mapping[str, Entry]) -> bool:
        """Whether every version of `entries` can be restored from it."""
        return all(
            name in self.secrets and _values(entry.versions) <= _values(self.secrets[name].versions)
            for name, entry in entries.items()
        )

    def as_document(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "environment": self.reference,
            "created": self.created.isoformat(),
            "secrets": {name: entry.as_document() for name, entry in self.secrets.items()},
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Raises `KeyError`, `TypeError`, `AttributeError` and `ValueError` for anything else."""
        if document["format"] != FORMAT:
            raise ValueError("another format")
        secrets = {name: Entry.from_document(entry) for name, entry in document["secrets"].items()}
        return cls(document["environment"], datetime.fromisoformat(document["created"]), secrets)


def export(entries: Mapping[str, Entry], recipients: Sequence[str], reference: str) -> bytes:
    """Return an armored age file of every version, for each of `recipients` to open. Raises `SecretsError`."""
    if not recipients:
        raise SecretsError(Fault(reference, "Nobody could open the escrow file.", "name a recipient's public key"))
    age.refuse_wrong(recipients, "escrow")
    escrow = Escrow(reference, now(), entries)
    text = json.dumps(escrow.as_document(), ensure_ascii=False, indent=2)
    return f"{age.encrypt(text.encode(), recipients)}\n".encode()


def read(data: bytes, identity_file: Path) -> Escrow:
    """Read an escrow file back with a private key: an age identity or an unencrypted SSH key. Raises `SecretsError`."""
    identities = _identities(identity_file)
    try:
        escrow = Escrow.from_document(json.loads(age.decrypt(data.decode("ascii"), identities)))
    except age.AgeError as error:
        raise _refusal("escrow file", f"{error}.", "check that it is whole, and meant for this key") from None
    except (AttributeError, KeyError, TypeError, ValueError):
        raise _refusal("escrow file", "It is none of ours.", "choose a file that was exported for escrow") from None
    for kept in (kept for entry in escrow.secrets.values() for kept in entry.versions):
        redactor.add(kept.value)
    return escrow


def digest(data: bytes) -> str:
    """Return what an entry notes as `escrowed`: the file's SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _identities(file: Path) -> list[age.Identity]:
    try:
        return age.identities(file.expanduser().read_text(encoding="utf-8"))
    except age.AgeError as error:
        raise _refusal(str(file), f"{error}.", "give the private key of one whom it was sealed to") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise _refusal(str(file), f"The private key cannot be read ({why}).", "give a file that you may read") from None


def _values(versions: Sequence[KeptVersion]) -> set[tuple[int, str]]:
    return {(kept.number, kept.value) for kept in versions}


def _refusal(where: str, what: str, hint: str) -> SecretsError:
    return SecretsError(Fault(where, what, hint))
