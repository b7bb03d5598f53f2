"""A bucket and the versions in it. Nothing here deletes."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from healthv1.storage.explanation import RAISED, explain
from healthv1.storage.versions import BucketPlace, ObjectVersion

TIMEOUT = 30  # seconds
ORIGIN = "healthv1-copy-of"
"""Metadata of a copy: the version that it is a copy of."""

for _name in ("boto3", "botocore", "urllib3"):  # at DEBUG they log requests, with the key's signature in them
    logging.getLogger(_name).setLevel(logging.INFO)


@dataclass(frozen=True)
class Bucket:
    place: BucketPlace
    client: Any

    def keeps_versions(self) -> bool:
        """Whether it does, or did until somebody suspended it: old versions are there then too. Raises `Refused`."""
        with self._explaining("s3:GetBucketVersioning"):
            answer = self.client.get_bucket_versioning(Bucket=self.place.name)
        return answer.get("Status") in {"Enabled", "Suspended"}

    def versions(self, folder: str, page_size: int = 1000) -> Iterator[ObjectVersion]:
        """Yield all versions and markers below a folder, page by page. Raises `Refused`."""
        with self._explaining("s3:ListBucketVersions"):
            pages = self.client.get_paginator("list_object_versions")
            below = {"Prefix": f"{folder.strip('/')}/", "PaginationConfig": {"PageSize": page_size}}
            for page in pages.paginate(Bucket=self.place.name, **below):
                yield from (_version(entry, marker=False) for entry in page.get("Versions", ()))
                yield from (_version(entry, marker=True) for entry in page.get("DeleteMarkers", ()))

    def copied_from(self, key: str) -> str:
        """Return the version that the current one is our copy of, or nothing. Raises `Refused`."""
        with self._explaining("s3:GetObject"):
            answer = self.client.head_object(Bucket=self.place.name, Key=key)
        return str(answer.get("Metadata", {}).get(ORIGIN, ""))

    def make_current(self, version: ObjectVersion) -> None:
        """Copy a version over whatever is current. The server copies; nothing comes here. Raises `Refused`."""
        with self._explaining("s3:GetObjectVersion and s3:PutObject"):
            self.client.copy_object(
                Bucket=self.place.name,
                Key=version.key,
                CopySource={"Bucket": self.place.name, "Key": version.key, "VersionId": version.id},
                MetadataDirective="REPLACE",
                Metadata={ORIGIN: version.id},
            )

    @contextmanager
    def _explaining(self, right: str) -> Iterator[None]:
        try:
            yield
        except RAISED as error:
            raise explain(error, str(self.place), right) from None


def _version(entry: dict[str, Any], *, marker: bool) -> ObjectVersion:
    return ObjectVersion(
        entry["Key"],
        entry["VersionId"],
        entry["LastModified"],
        entry["IsLatest"],
        marker,
        entry.get("Size", 0),
        entry.get("ETag", "").strip('"'),
    )


@contextmanager
def opened(place: BucketPlace, key_pair: tuple[str, str], connections: int) -> Iterator[Bucket]:
    """Open a bucket with a key and its secret.

    + connections: how many requests may be under way at once.
    """
    with tempfile.TemporaryDirectory(prefix="healthv1-") as folder:
        authority = Path(folder) / "ca.pem"
        authority.write_text(place.certificates, encoding="utf-8")  # boto3 takes a file
        client = boto3.client(
            "s3",
            endpoint_url=f"https://{place.endpoint}",
            region_name=place.region,
            aws_access_key_id=key_pair[0],
            aws_secret_access_key=key_pair[1],
            verify=str(authority) if place.certificates else None,
            config=_configuration(place, connections),
        )
        yield Bucket(place, client)


def _configuration(place: BucketPlace, connections: int) -> Config:
    return Config(
        s3={"addressing_style": "path" if place.style == "path" else "virtual"},
        connect_timeout=TIMEOUT,
        read_timeout=TIMEOUT,
        retries={"mode": "standard", "total_max_attempts": 5},
        max_pool_connections=connections,
        proxies={},
        # Other servers than AWS' do not know the checksums that boto3 sends unasked.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
