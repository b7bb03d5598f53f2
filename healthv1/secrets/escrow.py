"""placeholder until merged"""

from __future__ import annotations
import hashlib, json
from dataclasses import dataclass
from collections.abc import Mapping, Sequence
from pathlib import Path
import pyrage
from healthv1.secrets.entry import Entry


@dataclass(frozen=True)
class Escrow:
    reference: str
    entries: dict[str, Entry]


def sealed(entries: Mapping[str, Entry], recipients: Sequence[str], reference: str) -> bytes:
    to = [
        pyrage.ssh.Recipient.from_str(r) if r.startswith("ssh-") else pyrage.x25519.Recipient.from_str(r)
        for r in recipients
    ]
    doc = {"reference": reference, "entries": {k: e.as_document() for k, e in entries.items()}}
    return pyrage.encrypt(json.dumps(doc).encode(), to, armored=True)


def opened(data: bytes, identity: Path) -> Escrow:
    text = identity.read_text()
    lines = [l for l in text.splitlines() if l.startswith("AGE-SECRET-KEY")]
    ident = pyrage.x25519.Identity.from_str(lines[0]) if lines else pyrage.ssh.Identity.from_buffer(text.encode())
    doc = json.loads(pyrage.decrypt(data, [ident]))
    return Escrow(doc["reference"], {k: Entry.from_document(v) for k, v in doc["entries"].items()})


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
