"""A backup counts when it was read back: its files, and all WAL from the oldest one to now."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

from healthv1_backup import notes, repository
from healthv1_backup.processes import Failed
from healthv1_backup.settings import Settings

NOTE = "proof"
SCHEMA = 1


@dataclass(frozen=True)
class Proof:
    """What reading one repository back found."""

    repository: int
    folder: str
    tried: int
    """When, in seconds since 1970, as `newest` and `newest_full`."""
    seconds: float
    """How long it took."""
    faults: tuple[str, ...]
    """What is wrong, in a sentence each. None: every file was read back, and no WAL is missing."""
    backups: int = 0
    newest: int = 0
    newest_label: str = ""
    newest_full: int = 0
    oldest: int = 0
    segments: int = 0
    last_segment: str = ""

    @property
    def holds(self) -> bool:
        return not self.faults and bool(self.backups)


def prove(settings: Settings, number: int) -> Proof:
    """Read a repository back."""
    began = time.time()
    faults: list[str] = []
    described: dict[str, Any] = {}
    try:
        kept = repository.backups(settings, number)
        archive = repository.archived(settings, number)
        if kept:
            described |= _described(kept)
            faults += [
                f"backup {backup.label}: pages with a wrong checksum in the database"
                for backup in kept
                if backup.failed
            ]
            faults += [f"WAL is missing: {gap}" for gap in repository.missing_wal(kept, archive)]
            faults += repository.verify(settings, number)
        else:
            faults.append("no backup is there")
        if archive:
            described |= {"segments": len(archive), "last_segment": str(archive[-1])}
    except Failed as error:
        faults.append(str(error))
    folder = settings.repositories[number - 1]
    return Proof(number, folder, int(began), round(time.time() - began, 1), tuple(faults), **described)


def _described(kept: list[repository.KeptBackup]) -> dict[str, Any]:
    newest = kept[-1]
    return {
        "backups": len(kept),
        "newest": newest.stopped,
        "newest_label": newest.label,
        "newest_full": max((backup.stopped for backup in kept if backup.kind == "full"), default=0),
        "oldest": kept[0].stopped,
    }


@dataclass(frozen=True)
class Noted:
    """What the last reading found, in every repository."""

    proofs: tuple[Proof, ...] = field(default=())

    def of(self, number: int) -> Proof | None:
        return next((proof for proof in self.proofs if proof.repository == number), None)


def prove_all(settings: Settings) -> Noted:
    """Read every repository back, and note what was found."""
    noted = Noted(tuple(prove(settings, number) for number in range(1, len(settings.repositories) + 1)))
    notes.write(NOTE, {"schema": SCHEMA, "repositories": [asdict(proof) for proof in noted.proofs]})
    notes.measure("backup", _metrics(noted))
    return noted


def noted() -> Noted:
    document = notes.read(NOTE)
    if document.get("schema") != SCHEMA:
        return Noted()
    return Noted(tuple(Proof(**{**proof, "faults": tuple(proof["faults"])}) for proof in document["repositories"]))


def _metrics(noted: Noted) -> dict[str, tuple[str, float]]:
    """Return the metrics. Of several repositories the worst one counts."""
    newest = min((proof.newest if proof.holds else 0 for proof in noted.proofs), default=0)
    return {
        "healthv1_backup_proven": (
            "1 when every backup and all WAL was read back without a fault.",
            float(bool(noted.proofs) and all(proof.holds for proof in noted.proofs)),
        ),
        "healthv1_backup_last_proven_timestamp_seconds": (
            "When the newest backup that was read back ended.",
            float(newest),
        ),
        "healthv1_backup_last_full_timestamp_seconds": (
            "When the newest full backup ended.",
            float(min((proof.newest_full for proof in noted.proofs), default=0)),
        ),
        "healthv1_backup_last_try_timestamp_seconds": (
            "When backups were last read back.",
            float(max((proof.tried for proof in noted.proofs), default=0)),
        ),
        "healthv1_backup_kept": (
            "How many backups are kept.",
            float(min((proof.backups for proof in noted.proofs), default=0)),
        ),
    }
