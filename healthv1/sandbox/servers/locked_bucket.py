"""The locked S3's owner has made its bucket: with versions, none of which can be deleted for a day."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from healthv1.sandbox.description import LockedS3

_LOCK = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}}


def made(found: LockedS3) -> bool:
    """Make the bucket if it is missing. Returns False while the server does not answer yet."""
    owner = _owner(found)
    try:
        _make(owner, found.bucket)
        owner.put_object_lock_configuration(Bucket=found.bucket, ObjectLockConfiguration=_LOCK)
    except BotoCoreError:
        return False
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
            raise
        return False
    return True


def _make(owner: Any, bucket: str) -> None:
    with suppress(owner.exceptions.BucketAlreadyOwnedByYou):
        owner.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)


def _owner(found: LockedS3) -> Any:
    pair = json.loads(Path(found.admin_key_file).read_text(encoding="utf-8"))
    return boto3.client(
        "s3",
        endpoint_url=found.address,
        region_name=found.region,
        aws_access_key_id=pair["access_key_id"],
        aws_secret_access_key=pair["secret_access_key"],
        verify=found.ca_file,
        config=Config(s3={"addressing_style": "path"}, proxies={}, retries={"total_max_attempts": 1}, read_timeout=10),
    )
