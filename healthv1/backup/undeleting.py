"""Old versions in a bucket are made current again, from this machine and with the host's key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timezone

from deploys.backup.configuration import key_pair
from deploys.backup.settings import S3, Backup, RepositoryHost
from healthv1.backup.undeletion import Undeletion, is_below, is_list, undeletion
from healthv1.errors import Fault, Refused, StorageError
from healthv1.hosts.pyinfra_names import Host
from healthv1.storage.bucket import Bucket, opened
from healthv1.storage.versions import LARGEST_COPY, BucketPlace, ObjectVersion

PARALLEL = 16
"""Copies under way at once."""
TOLD = 500
"""Copies after which progress is told."""
Note = Callable[[str], None]


def repository(host: Host, number: int, environment: str) -> S3:
    """Return a host's repository with its secrets bound. Raises `Refused` unless it is a bucket."""
    settings = host.data.get("backup")
    if not isinstance(settings, Backup) or not settings.repositories:
        where = f"group_data for {environment}"
        raise Refused(Fault(where, "backup has no repository.", "set backup = Backup(repository=S3(…))"))
    if not 1 <= number <= len(settings.repositories):
        raise Refused(Fault(f"--repo {number}", "There is no such repository.", f"1 to {len(settings.repositories)}"))
    chosen = settings.bind(host.data.get("secrets")).repositories[number - 1]
    if not isinstance(chosen, S3):
        where = " on another host" * isinstance(chosen, RepositoryHost)
        what = f"Repository {number} is a folder{where}, {chosen.path}: it keeps no versions."
        raise Refused(Fault(host.name, what, "bring the folder back from a copy of the disk that it is on"))
    return chosen


@contextmanager
def bucket_of(settings: S3) -> Iterator[Bucket]:
    """Open it as the host does. Raises `Refused`, also when it never kept versions."""
    endpoint = settings.operator_endpoint or settings.endpoint
    place = BucketPlace(settings.bucket, endpoint, settings.region, settings.style, settings.certificates)
    with opened(place, key_pair(settings.credentials), PARALLEL) as bucket:
        if not bucket.keeps_versions():
            what = "It keeps no versions: what was deleted or overwritten there is gone."
            hint = "restore from another copy; for the next time docs/backup-lock.md shows how to make a bucket"
            raise StorageError(Fault(str(place), what, hint))
        yield bucket


def refuse_outside(folder: str, settings: S3) -> None:
    """Raise `Refused` unless a folder is the environment's own."""
    if not is_below(folder, settings.folder):
        what = f"It is not below {settings.folder}, which is this environment's folder in {settings.bucket}."
        raise Refused(Fault(f"--folder {folder}", what, f"choose one below it: {settings.folder}/HISTORY/NUMBER"))


def look(bucket: Bucket, folder: str, to: datetime) -> Undeletion:
    """Return what is due. Raises `Refused` when the folder had nothing, or when S3 cannot copy a file in one piece."""
    versions = list(bucket.versions(folder))
    if not versions:
        raise Refused(
            Fault(str(bucket.place), f"Nothing ever was in {folder}.", "give --folder as the list of backups shows it")
        )
    planned = undeletion(versions, to, _origins(bucket, versions, to).__getitem__)
    Refused.unless(
        Fault(version.key, f"It has {version.size >> 30} GiB: S3 copies 5 at once.", "copy it with the server's tools")
        for version in planned.due
        if version.size > LARGEST_COPY
    )
    return planned


def _origins(bucket: Bucket, versions: list[ObjectVersion], to: datetime) -> dict[str, str]:
    """Return of which version the current one is a copy, where the listing leaves it open: after an earlier run."""
    open_keys: list[str] = []

    def note_key(key: str) -> str:
        open_keys.append(key)
        return ""

    undeletion(versions, to, note_key)
    with ThreadPoolExecutor(PARALLEL) as pool:
        return dict(zip(open_keys, pool.map(bucket.copied_from, open_keys), strict=True))


def undelete(bucket: Bucket, found: Undeletion, note: Note) -> tuple[int, tuple[Fault, ...]]:
    """Make what is due current again, and return how many objects are, and why others are not.

    A run that was interrupted is gone on with by another one. While a file is missing the lists are not brought back:
    hosts would go on in a repository that is not whole.
    """
    faults: list[Fault] = []
    copied = 0

    def make(version: ObjectVersion) -> None:
        nonlocal copied
        if faults and all(fault.what == faults[0].what for fault in faults) and len(faults) > PARALLEL:
            return  # each would be refused
        try:
            bucket.make_current(version)
        except StorageError as error:
            faults.extend(error.faults)
            return
        copied += 1
        if copied % TOLD == 0:
            note(f"{copied} of {len(found.due)} objects are current again")

    for lists in (False, True):
        if not faults:
            with ThreadPoolExecutor(PARALLEL) as pool:
                list(pool.map(make, [version for version in found.due if is_list(version) is lists]))
    return copied, tuple(dict.fromkeys(faults))


def moment(text: str) -> datetime:
    """Read a time, in UTC unless it says otherwise. Raises `Refused`, also for one that is yet to come."""
    plain = text.strip().removesuffix("UTC").strip()
    plain = f"{plain.removesuffix('Z')}+00:00" if plain.endswith("Z") else plain
    try:
        parsed = datetime.fromisoformat(plain)
    except ValueError:
        hint = 'give it as: --to "2026-11-29 09:30:00" (UTC), or with +01:00 behind it'
        raise Refused(Fault(f"--to {text}", "It is no time.", hint)) from None
    parsed = (parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)).replace(microsecond=0)
    if parsed > datetime.now(timezone.utc):
        raise Refused(Fault(f"--to {text}", "It is yet to come.", "give the last moment at which all was well"))
    return parsed.astimezone(timezone.utc)
