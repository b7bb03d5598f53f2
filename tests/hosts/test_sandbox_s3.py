"""The sandbox's two S3 servers are such as a team buys: reached by name over TLS, and one keeps what was written."""

from pathlib import Path

import pytest
from botocore.exceptions import ClientError

CA = "/root/s3-ca.pem"


@pytest.fixture(scope="module")
def buckets(_deployed):
    """The deployed host's world; no test here changes the host."""
    _deployed.shell(f"cat > {CA} <<'END'\n{Path(_deployed.running.s3.ca_file).read_text()}END")
    _deployed.locked_s3()
    yield _deployed
    _deployed.shell(f"rm {CA}")


def test_a_host_reaches_both_by_name_and_trusts_the_sandboxs_authority_alone(buckets):
    found = buckets.running
    for endpoint, refusal in ((found.s3.endpoint, "400"), (found.locked_s3.endpoint, "403")):  # for want of a key
        ask = f"curl -sS --max-time 10 -o /dev/null -w '%{{http_code}}' {endpoint}/"
        assert buckets.shell(f"{ask} --cacert {CA}") == refusal
        assert buckets.shell(f'{ask} 2>/dev/null || echo " $?"').split() == ["000", "60"]  # who vouches is unknown


def test_the_simple_one_keeps_what_its_key_writes(buckets):
    bucket = buckets.running.s3.bucket
    buckets.s3().put_object(Bucket=bucket, Key="probe", Body=b"kept")
    assert buckets.s3().get_object(Bucket=bucket, Key="probe")["Body"].read() == b"kept"
    buckets.s3().delete_object(Bucket=bucket, Key="probe")
    assert "probe" not in _keys(buckets.s3(), bucket)


def test_what_a_host_deletes_in_the_locked_one_is_hidden_and_stays(buckets):
    host = buckets.locked_s3("host")
    version = host.put_object(Bucket="locked", Key="deleted", Body=b"kept")["VersionId"]
    assert host.delete_object(Bucket="locked", Key="deleted")["DeleteMarker"]
    assert "deleted" not in _keys(host, "locked")
    for identity in ("host", "admin"):
        _denied(buckets.locked_s3(identity).delete_object, Bucket="locked", Key="deleted", VersionId=version)
    reader = buckets.locked_s3("reader")
    assert reader.get_object(Bucket="locked", Key="deleted", VersionId=version)["Body"].read() == b"kept"


def test_a_host_cannot_loosen_the_lock_nor_can_its_owner_end_versioning(buckets):
    host = buckets.locked_s3("host")
    off = {"Status": "Suspended"}
    loose = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    _denied(host.put_object_lock_configuration, Bucket="locked", ObjectLockConfiguration=loose)
    _denied(host.delete_bucket, Bucket="locked")
    for identity in ("host", "admin"):
        suspend = buckets.locked_s3(identity).put_bucket_versioning
        _denied(suspend, "InvalidBucketState", Bucket="locked", VersioningConfiguration=off)
    assert host.get_bucket_versioning(Bucket="locked")["Status"] == "Enabled"


def test_a_reader_writes_and_deletes_nothing(buckets):
    buckets.locked_s3("host").put_object(Bucket="locked", Key="read", Body=b"")
    reader = buckets.locked_s3("reader")
    assert "read" in _keys(reader, "locked")
    _denied(reader.put_object, Bucket="locked", Key="written", Body=b"")
    _denied(reader.delete_object, Bucket="locked", Key="read")


def _keys(client, bucket):
    return [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket).get("Contents", [])]


def _denied(ask, code="AccessDenied", **what):
    with pytest.raises(ClientError) as refusal:
        ask(**what)
    assert refusal.value.response["Error"]["Code"] == code
