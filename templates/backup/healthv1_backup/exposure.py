"""What a thief of the host's key could do to the backups: tried with that key, and with nothing that could hurt.

Settings of a bucket are written back as they were read, and never as anything else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from healthv1_backup import locking, notes
from healthv1_backup.bucket import ANSWER, Bucket
from healthv1_backup.locking import PROBE, Lock
from healthv1_backup.processes import Failed, pgbackrest
from healthv1_backup.settings import CREDENTIALS, Settings

NOTE = "marker"
BAD, WELL, UNKNOWN, TOLD = "bad", "well", "unknown", "told"
OTHERS = 5
"""Of a server's other buckets so many are tried."""
_SETTINGS = {
    "object-lock": (
        "the lock's settings",
        "and what is written later is not locked",
        "s3:PutBucketObjectLockConfiguration",
    ),
    "lifecycle": (
        "the rules that remove old versions",
        "and they go when their lock ends",
        "s3:PutLifecycleConfiguration",
    ),
    "policy": ("the bucket's policy", "and lets anybody in", "s3:PutBucketPolicy"),
}
"""Of a bucket, by their names in a request: what they are, what changing them comes to, and the right to do it."""


@dataclass(frozen=True)
class Ability:
    """One thing a thief could do, or could not."""

    verdict: str
    """bad, well, unknown; told: it is so wherever a host writes its own backups, and no fault."""
    sentence: str


@dataclass
class Exposure:
    repository: int
    folder: str
    locked: bool
    """Whether settings say that it keeps what is deleted."""
    abilities: list[Ability] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Why it does not keep it, although settings say so."""

    def as_document(self) -> dict[str, Any]:
        return asdict(self)


def exposed(settings: Settings) -> list[dict[str, Any]]:
    """Return it for every repository."""
    return [_of(settings, number).as_document() for number in range(1, len(settings.repositories) + 1)]


def _of(settings: Settings, number: int) -> Exposure:
    folder = settings.repositories[number - 1]
    at = settings.buckets[number - 1] if settings.buckets else None
    other = settings.hosts[number - 1] if settings.hosts else ""
    if other:
        return Exposure(number, folder, locked=False, abilities=list(_on_another_host(settings, number, other)))
    if at is None:
        disk = Ability(TOLD, "It is a folder on the host: whoever is root there reads and deletes everything in it.")
        return Exposure(number, folder, locked=False, abilities=[disk])
    exposure = Exposure(number, folder, bool(at["locked"]))
    try:
        bucket = Bucket.of(settings, number)
        lock = locking.tried(bucket, folder)
        exposure.abilities += [*_reading(bucket, folder), *_deleting(lock), *_forever(bucket, folder, lock, settings)]
        changes = list(changing(bucket)) if lock.versioned else []
        exposure.abilities += [*changes, *_extending(bucket, folder, lock), *_elsewhere(bucket)]
        exposure.abilities += _of_drills(bucket, settings, number)
        exposure.faults += [*lock.faults(), *(f"the host's key {_small(one)}" for one in changes if one.verdict == BAD)]
    except (Failed, OSError) as error:
        exposure.faults.append(f"it could not be tried: {error}")
    exposure.faults = exposure.faults if exposure.locked else []
    return exposure


def _on_another_host(settings: Settings, number: int, other: str) -> Iterator[Ability]:
    """Tell what the host's certificate lets its thief do at the host that keeps the backups."""
    yield Ability(TOLD, "Reads all backups: the passphrase lies beside the certificate on the host.")
    yield Ability(
        BAD,
        f"Deletes and overwrites all backups for good: pgBackRest's server on {other} does what its client says. Have a"
        " second repository that keeps what is deleted: docs/backup-lock.md.",
    )
    elsewhere = (f"--repo{number}-path=/etc", f"--repo{number}-cipher-type=none")
    ended = pgbackrest(settings, f"--repo={number}", *elsewhere, "repo-get", "machine-id", timeout=ANSWER)
    if not ended.code:
        yield Ability(BAD, f"Reads other files of {other} as well: its unit does not shut it in. Apply to it.")
    elif "missing" in ended.why:
        yield Ability(WELL, f"Sees nothing of {other} but the backups' folder.")
    else:
        yield Ability(UNKNOWN, f"Whether it sees more of {other} could not be tried: {ended.why[:200]}.")


def _small(ability: Ability) -> str:
    return f"{ability.sentence[0].lower()}{ability.sentence[1:].rstrip('.')}"


def _reading(bucket: Bucket, folder: str) -> Iterator[Ability]:
    answer = bucket.ask("GET", query={"list-type": "2", "max-keys": "1", "prefix": f"{folder.strip('/')}/"})
    if answer.done:
        yield Ability(TOLD, "Reads all backups: the passphrase lies beside the key on the host.")
    else:
        yield Ability(UNKNOWN, f"Listing the backups did not work ({answer.why}).")


def _deleting(lock: Lock) -> Iterator[Ability]:
    """Tell what deleting and overwriting come to. Backups need both, so neither is tried."""
    if not lock.versioned:
        yield Ability(BAD, "Deletes and overwrites all backups for good: the bucket keeps no versions.")
        return
    yield Ability(
        TOLD,
        "Deletes and overwrites what is listed. Every version from before stays: healthv1 backup undelete ENV"
        " --to TIME brings it back.",
    )
    if lock.deleted:
        how = ", by its right to bypass the lock" if lock.bypassed else ""
        yield Ability(BAD, f"Deletes versions for good{how}: it did so with {PROBE}.")
    elif lock.unclear:
        yield Ability(UNKNOWN, f"Deleting a version was neither done nor refused: {lock.unclear}.")
    elif not lock.probe.mode:
        yield Ability(WELL, "Cannot delete a version for good: its key may not. But no lock stops another key.")
    else:
        yield Ability(WELL, f"Cannot delete a locked version for good ({lock.probe.mode.lower()}): it was refused.")


def _forever(bucket: Bucket, folder: str, lock: Lock, settings: Settings) -> Iterator[Ability]:
    """Tell what becomes of versions whose lock has ended."""
    if not lock.holds:
        return
    days, keep = lock.probe.days, settings.keep_days
    after = f"{days} day{'s' * (days != 1)}"
    gone = deletes_unlocked(bucket, f"{locking.probe_key(folder)}-marker")
    if gone is None:
        yield Ability(UNKNOWN, f"Whether it deletes versions when their lock has ended, after {after}, is not known.")
    elif not gone:
        yield Ability(WELL, f"Cannot delete versions either when their lock has ended, after {after}.")
    elif days < keep:
        yield Ability(
            BAD,
            f"Deletes for good what was written more than {after} ago: backups are kept for {keep} days, and locked for"
            f" {days}. Lock for {keep} days or more, or take s3:DeleteObjectVersion from the key.",
        )
    else:
        yield Ability(WELL, f"Deletes for good only what was written more than {after} ago, and no backup is that old.")


def deletes_unlocked(bucket: Bucket, key: str) -> bool | None:
    """Try to delete a delete marker of ours, which no lock covers. None: it is not known.

    One that could not be deleted is tried again the next time: they do not pile up.
    """
    noted = notes.read(NOTE).get(key, "")
    version = noted or bucket.ask("DELETE", key).headers.get("x-amz-version-id", "")
    if not version:
        return None
    answer = bucket.ask("DELETE", key, {"versionId": version})
    notes.write(NOTE, {**notes.read(NOTE), key: "" if answer.done else version})
    return True if answer.done else False if answer.refused else None


def changing(bucket: Bucket) -> Iterator[Ability]:
    """Write settings of the bucket back as they are. Where versions are locked, nobody can end versioning."""
    for name, (what, then, right) in _SETTINGS.items():
        current = bucket.ask("GET", query={name: ""})
        if current.refused:
            yield Ability(WELL, f"Cannot even read {what}, so changing them was not tried.")
            continue
        if not current.done:
            why = "there are none to write back" if current.status == 404 else current.why
            yield Ability(UNKNOWN, f"Whether it changes {what} was not tried: {why}. Its key has to lack {right}.")
            continue
        answer = bucket.ask("PUT", query={name: ""}, body=current.body)
        if answer.done:
            yield Ability(BAD, f"Changes {what}, {then}: take {right} from its key.")
        elif answer.refused:
            yield Ability(WELL, f"Cannot change {what}.")
        else:
            yield Ability(UNKNOWN, f"Whether it changes {what} is not known ({answer.why}).")


def _extending(bucket: Bucket, folder: str, lock: Lock) -> Iterator[Ability]:
    """Set the probe's own lock once more, to the same day."""
    if not lock.probe.mode or lock.deleted:
        return
    until = locking.written(lock.probe.until)
    body = f"<Retention><Mode>{lock.probe.mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>"
    query = {"retention": "", "versionId": lock.probe.version}
    answer = bucket.ask("PUT", locking.probe_key(folder), query, body=body.encode())
    if answer.done:
        yield Ability(TOLD, "Locks what is there for longer, and you pay for it until then: s3:PutObjectRetention.")
    elif answer.refused:
        yield Ability(WELL, "Cannot lock what is there for longer, at your cost.")


def _of_drills(bucket: Bucket, settings: Settings, number: int) -> Iterator[Ability]:
    """Tell what the key of restore drills may do: it is for reading alone."""
    file = Path(settings.reading_keys) / CREDENTIALS.name
    reader = Bucket.of(settings, number, file) if settings.reading_keys else bucket
    if reader.key == bucket.key:
        yield Ability(TOLD, "Restore drills use the same key: read_credentials gives them one that only reads.")
        return
    key = f"{locking.probe_key(settings.repositories[number - 1])}-drill"
    answer = reader.ask("PUT", key, body=locking.TEXT)
    if answer.done:
        bucket.ask("DELETE", key)
        yield Ability(BAD, "The key of restore drills writes too: leave it s3:GetObject and s3:ListBucket alone.")
    elif answer.refused:
        yield Ability(WELL, "Restore drills have a key of their own, and it cannot write.")
    else:
        yield Ability(UNKNOWN, f"Whether the key of restore drills writes is not known ({answer.why}).")


def _elsewhere(bucket: Bucket) -> Iterator[Ability]:
    answer = bucket.ask_server()
    if not answer.done:
        yield Ability(WELL, "Cannot see which other buckets there are.")
        return
    bucket_names = [name for name in answer.values("Name") if name != bucket.name]
    open_ones = [name for name in bucket_names[:OTHERS] if bucket.beside(name).ask("GET", query={"max-keys": "1"}).done]
    if open_ones:
        yield Ability(BAD, f"Reads other buckets too: {', '.join(open_ones)}. Give the host a key for this one alone.")
    else:
        yield Ability(WELL, "Sees no other bucket that it could read.")
