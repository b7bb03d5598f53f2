"""Which bucket, and the versions of what lies in it, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

LARGEST_COPY = 5 * 2**30
"""Bytes that S3 copies in one request. pgBackRest's files are smaller: PostgreSQL keeps at most 1 GiB in one."""


@dataclass(frozen=True)
class BucketPlace:
    name: str
    endpoint: str
    """A host's name or address, with a port where it is not 443."""
    region: str
    style: str
    """host or path, as in the settings of backups."""
    certificates: str = ""
    """Of the authority that vouches for the endpoint, as PEM. Empty: those of botocore."""

    def __str__(self) -> str:
        return f"{self.name} at {self.endpoint}"


@dataclass(frozen=True)
class ObjectVersion:
    """One version of an object, or the marker that hides it."""

    key: str
    id: str
    at: datetime
    latest: bool
    marker: bool = False
    size: int = 0
    digest: str = ""
    """The same for the same content that was uploaded in the same way."""
