"""Versions in a bucket, against a server of moto's: page by page, and made current without a right to delete."""

import time
from dataclasses import replace
from datetime import datetime, timezone
from uuid import uuid4

import pytest

from healthv1.backup import undeleting
from healthv1.errors import StorageError
from healthv1.storage.bucket import Bucket, opened
from healthv1.storage.versions import BucketPlace

PART = 5 * 2**20


@pytest.fixture
def bucket(moto):
    """A bucket that keeps versions."""
    name = f"b-{uuid4()}"
    client = moto.client("s3")
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return Bucket(BucketPlace(name, "localhost", "eu-central-1", "path"), client)


def put(bucket, key, body):
    bucket.client.put_object(Bucket=bucket.place.name, Key=key, Body=body)


def put_in_parts(bucket, key, body):
    at = {"Bucket": bucket.place.name, "Key": key}
    upload = {**at, "UploadId": bucket.client.create_multipart_upload(**at)["UploadId"]}
    pieces = [body[:PART], body[PART:]]
    tags = [
        bucket.client.upload_part(**upload, PartNumber=number, Body=piece)["ETag"]
        for number, piece in enumerate(pieces, 1)
    ]
    parts = [{"ETag": tag, "PartNumber": number} for number, tag in enumerate(tags, 1)]
    bucket.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})


def read(bucket, key):
    return bucket.client.get_object(Bucket=bucket.place.name, Key=key)["Body"].read()


def delete(bucket, key):
    bucket.client.delete_object(Bucket=bucket.place.name, Key=key)


def test_all_versions_are_listed_whatever_a_page_holds_and_no_other_folders(bucket):
    for number in range(5):
        put(bucket, f"ours/{number}", b"1")
        put(bucket, f"ours/{number}", b"2")
        delete(bucket, f"ours/{number}")
    put(bucket, "ours-not/1", b"1")
    found = list(bucket.versions("/ours", page_size=2))
    assert len(found) == len(set(found)) == 15
    assert {one.key for one in found} == {f"ours/{number}" for number in range(5)}
    assert sum(one.marker for one in found) == 5
    assert all(one.marker for one in found if one.latest)


def test_what_was_deleted_and_overwritten_comes_back_and_a_second_run_has_nothing_to_do(bucket):
    large = b"x" * (PART + 1)
    put(bucket, "ours/deleted", b"kept")
    put(bucket, "ours/overwritten", b"kept")
    put_in_parts(bucket, "ours/large", large)
    put(bucket, "ours/untouched", b"kept")
    to = datetime.now(timezone.utc).replace(microsecond=0)
    time.sleep(1.1)
    for key in ("ours/deleted", "ours/large"):
        delete(bucket, key)
    put(bucket, "ours/overwritten", b"junk")
    put(bucket, "ours/new", b"new")

    found = undeleting.look(bucket, "/ours", to)
    assert [one.key for one in found.due] == ["ours/deleted", "ours/large", "ours/overwritten"]
    bucket.make_current(found.due[0])  # of a run that was killed
    rest = undeleting.look(bucket, "/ours", to)
    assert [one.key for one in rest.due] == ["ours/large", "ours/overwritten"]
    assert undeleting.undelete(bucket, rest, print) == (2, ())

    assert undeleting.look(bucket, "/ours", to).due == ()
    assert {read(bucket, f"ours/{name}") for name in ("deleted", "overwritten", "untouched")} == {b"kept"}
    assert read(bucket, "ours/large") == large
    assert read(bucket, "ours/new") == b"new"


def test_a_bucket_that_never_kept_versions_is_known(bucket, moto):
    other = replace(bucket, place=replace(bucket.place, name=f"b-{uuid4()}"))
    location = {"LocationConstraint": "eu-central-1"}
    other.client.create_bucket(Bucket=other.place.name, CreateBucketConfiguration=location)
    assert (bucket.keeps_versions(), other.keeps_versions()) == (True, False)


def test_a_bucket_that_is_not_there_or_not_reached_is_told_of(bucket):
    missing = replace(bucket, place=replace(bucket.place, name="b-none"))
    with pytest.raises(StorageError, match="There is no such bucket"):
        list(missing.versions("/ours"))
    unreachable = BucketPlace("b", "127.0.0.1:1", "eu-1", "path")
    with opened(unreachable, ("KEY", "a-secret"), 1) as closed, pytest.raises(StorageError) as refused:
        closed.keeps_versions()
    assert "operator_endpoint" in refused.value.faults[0].hint
    assert "a-secret" not in repr(closed) + str(refused.value)
