"""Whether a bucket keeps what the host's key deletes: tried with the host's key on one small object of ours."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from healthv1_backup.bucket import Answer, Bucket
from healthv1_backup.processes import Failed
from healthv1_backup.settings import Settings

PROBE = "healthv1-probe"
TEXT = b"healthv1 tries to delete this, and must not succeed. It is no backup.\n"
DAY, SOON = 86_400, 3600  # seconds
BYPASS = {"x-amz-bypass-governance-retention": "true"}


@dataclass(frozen=True)
class Probe:
    """The object that is tried, as the server tells of it."""

    version: str
    mode: str
    """COMPLIANCE, GOVERNANCE, or empty: no lock is on it, or the key may not see it."""
    written: float
    """Seconds since 1970, as `until`."""
    until: float

    @classmethod
    def from_answer(cls, answer: Answer) -> Probe:
        headers = answer.headers
        written, until = headers.get("last-modified", ""), headers.get("x-amz-object-lock-retain-until-date", "")
        return cls(
            headers.get("x-amz-version-id", ""),
            headers.get("x-amz-object-lock-mode", ""),
            parsedate_to_datetime(written).timestamp() if written else 0,
            _moment(until) if until else 0,
        )

    @property
    def days(self) -> int:
        """Return for how long the bucket locks what is written into it."""
        return round((self.until - self.written) / DAY) if self.mode else 0

    def serves(self, now: float) -> bool:
        """Whether it can be tried as it is. It is written anew only when its lock ends: else such objects piled up."""
        if not self.version:
            return False
        return self.until > now + SOON if self.mode else self.written > now - DAY


def _moment(text: str) -> float:
    return datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp()


def written(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Lock:
    """What came of trying it."""

    versioned: bool
    probe: Probe
    deleted: bool = False
    """The host's key deleted the locked version for good. Only the probe is gone."""
    bypassed: bool = False
    """It did so by a right to bypass the lock."""
    unclear: str = ""
    """An answer that is neither yes nor no."""

    @property
    def holds(self) -> bool:
        return not self.faults()

    def faults(self) -> list[str]:
        """Return why what is written there can be lost by whoever has the host's key; nothing: it cannot."""
        if not self.versioned:
            return ["the bucket keeps no versions: what is deleted or overwritten is gone"]
        faults = []
        if self.deleted:
            how = " with a right to bypass the lock" if self.bypassed else ""
            faults.append(f"the host's key deleted a version for good{how} (of {PROBE}, made for that)")
        if not self.probe.mode:
            faults.append(
                "nothing locks what is written there, or the host's key may not see it (s3:GetObjectRetention)"
            )
        if self.unclear:
            faults.append(f"deleting a version was neither done nor refused: {self.unclear}")
        return faults


def probe_key(folder: str) -> str:
    """Return where the probe lies: beside the folder of a repository, where pgBackRest does not look."""
    return f"{folder.rpartition('/')[0].strip('/')}/{PROBE}"


def tried(bucket: Bucket, folder: str) -> Lock:
    """Try to delete a version of the probe for good. Raises `Failed` when it cannot be tried."""
    asked = bucket.ask("GET", query={"versioning": ""})
    if not asked.done:
        raise Failed(f"whether the bucket keeps versions cannot be seen ({asked.why}): allow s3:GetBucketVersioning")
    if "Enabled" not in asked.values("Status"):
        return Lock(False, Probe("", "", 0, 0))
    key = probe_key(folder)
    probe = _probe(bucket, key)
    for headers in ({}, BYPASS):
        answer = bucket.ask("DELETE", key, {"versionId": probe.version}, headers)
        if answer.done:
            return Lock(True, probe, deleted=True, bypassed=bool(headers))
        if not answer.refused:
            return Lock(True, probe, unclear=answer.why)
    return Lock(True, probe)


def _probe(bucket: Bucket, key: str) -> Probe:
    """Return the probe, written if it is not there or its lock has ended. Raises `Failed`."""
    probe = Probe.from_answer(answer) if (answer := bucket.ask("HEAD", key)).done else Probe("", "", 0, 0)
    if probe.serves(time.time()):
        return probe
    written = bucket.ask("PUT", key, body=TEXT)
    if not written.done:
        raise Failed(f"the host's key cannot write there ({written.why})")
    answer = bucket.ask("HEAD", key)
    if not answer.done or not answer.headers.get("x-amz-version-id"):
        raise Failed(f"what was just written cannot be seen ({answer.why})")
    return Probe.from_answer(answer)


def failing(settings: Settings) -> list[str]:
    """Return what is wrong with the buckets that are said to be locked."""
    return [f"repository {number}: {fault}" for number in settings.locked for fault in _faults(settings, number)]


def _faults(settings: Settings, number: int) -> list[str]:
    try:
        return tried(Bucket.of(settings, number), settings.repositories[number - 1]).faults()
    except (Failed, OSError) as error:
        return [f"whether it is locked could not be tried: {error}"]
